/**
 * Where everything stands: boxes inside boxes, each open one laid out by its own level.
 *
 * Relies on `levels.js`, `strands.js`, `placing.js` and `tracks.js`. Promises that a box's inside depends only on what
 * is open in it, so that opening a box moves only what stands beside it and around it; what is folded isn't laid out.
 *
 * A layout: `{box, width, height, items, wires, ports, portAt}`, measured from the frame's upper left corner. `items`
 * are `{item, x, y, width, height, inner}`, where `inner` is the layout of an open box; `wires` are `{key, edges, net,
 * points, isEnd, tag}`: `isEnd` says whether the arrow ends here, at its very head, and not at a port; `tag` is what
 * is written there. `ports` says how far to the right each port stands, `portAt` by which port an edge passes the
 * frame.
 */

import { place } from "./placing.js";
import { portKey, strandsOf } from "./strands.js";
import { tracksOf } from "./tracks.js";

export const HEADER = 26;
const PAD = 16;
const GAP = 12; // between a layer and the first track, and again below the last
const TRACK = 9;
const LABEL = 13;

/**
 * Returns a function from a box and the set of open boxes to the box's layout.
 *
 * @param {Object} graph From `createGraph`.
 * @param {function(number): Object} levelOf From `createLevels`.
 * @param {function(number, boolean): {width: number, height: number}} measure An item's size; of an open box, the least
 *   width of its frame.
 */
export function createLayout(graph, levelOf, measure) {
  const kept = new Map();

  function keyOf(box, open) {
    const inside = graph.childrenOf(box).filter((item) => graph.isBox(item) && open.has(graph.boxOf(item)));
    return inside.map((item) => `${graph.boxOf(item)}(${keyOf(graph.boxOf(item), open)})`).join();
  }

  return function layoutOf(box, open) {
    const key = keyOf(box, open);
    const known = kept.get(box);
    if (known?.key === key) return known.layout;
    const level = levelOf(box);
    const inners = new Map();
    for (const item of level.children) {
      if (graph.isBox(item) && open.has(graph.boxOf(item))) inners.set(item, layoutOf(graph.boxOf(item), open));
    }
    const layout = layOut(graph, level, inners, open, measure);
    kept.set(box, { key, layout });
    return layout;
  };
}

function layOut(graph, level, inners, open, measure) {
  const sizeOf = (item) => inners.get(item) ?? measure(item, false);
  const { layers, joints, links } = strandsOf(graph, level, inners, open, sizeOf);
  place(layers, joints, distance, (piece) => offset(piece, inners));
  const rows = stack(layers, joints, level.box > 0 ? HEADER : 0);
  const foot = level.box > 0 && layers.at(-1).some((cell) => cell.item !== null) ? PAD : 0;
  const frame = frameOf(layers, level.box > 0 ? measure(graph.boxItem(level.box), true).width : 0);
  for (const cells of layers) for (const cell of cells) cell.x += frame.shift;
  const items = [];
  const ports = new Map();
  layers.forEach((cells, layer) => {
    for (const cell of cells) {
      cell.y = rows[layer].top;
      if (cell.port) ports.set(cell.port, cell.x);
      if (cell.item === null) continue;
      items.push({
        item: cell.item, x: cell.x, y: cell.y, width: cell.width, height: cell.height,
        inner: inners.get(cell.item) ?? null,
      });
    }
  });
  return {
    box: level.box, width: frame.width, height: rows.at(-1).bottom + foot, items, ports,
    portAt: new Map(level.crossing.map((crossing) => [crossing.edge, portKey(graph, crossing, inners, open)])),
    wires: tagged(graph, links.map((link) => wireOf(link, rows, level))),
  };
}

/**
 * Gives each arrow's head one tag, on one of the wires that end there: the name of what it carries, and how many it
 * counts where one of them stands for several.
 */
function tagged(graph, wires) {
  const byHead = new Map();
  for (const wire of wires) if (wire.isEnd) byHead.set(wire.net, [...(byHead.get(wire.net) ?? []), wire]);
  for (const group of byHead.values()) {
    const edges = group.flatMap((wire) => wire.edges);
    const names = new Set(edges.filter(graph.isNamed).map((edge) => graph.edge(edge).name));
    const isCounted = group.some((wire) => wire.edges.length > 1);
    const parts = [names.size === 1 ? [...names][0] : null, isCounted ? `× ${edges.length}` : null];
    group[0].tag = parts.filter(Boolean).join(" ");
  }
  return wires;
}

/**
 * How far a cell stands to the right of the one above it. Open boxes stand middle under middle: by their ports, each
 * would stand a little to the side of the one before, and many would make stairs.
 */
function offset({ upper, upperAt, lower, lowerAt }, inners) {
  const areOpen = inners.has(upper.item) && inners.has(lower.item);
  return areOpen ? (upper.width - lower.width) / 2 : upperAt - lowerAt;
}

/** How far apart two neighbours in a layer stand. */
function distance(left, right) {
  if (left.item !== null && right.item !== null) return 26;
  return left.item === null && right.item === null ? 12 : 18;
}

/** How wide the frame is, and how far its inside must be moved to the right. */
function frameOf(layers, least) {
  let [from, to] = [Infinity, -Infinity];
  for (const cell of layers.flat()) {
    from = Math.min(from, cell.x);
    to = Math.max(to, cell.x + cell.width);
  }
  if (from > to) [from, to] = [0, 0];
  const width = Math.max(Math.ceil(to - from) + 2 * PAD, least);
  return { width, shift: Math.round((width - (to - from)) / 2 - from) };
}

/** For each layer its `top` and `bottom`, and the heights of the tracks in the gap below it. */
function stack(layers, joints, header) {
  const rows = [];
  let top = header;
  layers.forEach((cells, layer) => {
    const height = Math.max(0, ...cells.map((cell) => cell.height));
    const bottom = top + height;
    const pieces = joints[layer].map((joint) => ({
      net: joint.net,
      upper: joint.upper.x + joint.upperAt,
      lower: joint.lower.x + joint.lowerAt,
    }));
    const tracks = tracksOf(pieces);
    const labelled = joints[layer].some((joint) => joint.isTagged && joint.lower.item !== null);
    const room = gapBelow(layer, layers, tracks.count, labelled);
    rows.push({ top, bottom, trackAt: (net) => bottom + GAP + (tracks.of.get(net) ?? 0) * TRACK });
    top = bottom + room;
  });
  return rows;
}

function gapBelow(layer, layers, tracks, labelled) {
  if (layer === layers.length - 1) return 0;
  const isEmptyRow = (cells) => cells.every((cell) => cell.item === null);
  if (!tracks && (isEmptyRow(layers[layer]) || isEmptyRow(layers[layer + 1]))) {
    return labelled && isEmptyRow(layers[layer]) ? GAP + LABEL : GAP;
  }
  return 2 * GAP + Math.max(0, tracks - 1) * TRACK + (labelled ? LABEL : 0);
}

/** The points of a link's way, from its tail to its head. */
function wireOf(link, rows, level) {
  const points = [];
  const add = (x, y) => {
    const last = points.at(-1);
    if (!last || last[0] !== x || last[1] !== y) points.push([x, y]);
  };
  link.joints.forEach((joint, at) => {
    const row = rows[joint.gap];
    const [upper, lower] = [joint.upper.x + joint.upperAt, joint.lower.x + joint.lowerAt];
    if (at === 0) add(upper, joint.upper.y + joint.upper.height);
    if (Math.abs(upper - lower) >= 1) {
      add(upper, row.trackAt(joint.net));
      add(lower, row.trackAt(joint.net));
    }
    if (at === link.joints.length - 1) add(lower, joint.lower.y);
  });
  if (link.upward) points.reverse();
  return {
    key: `${level.box}|${link.key}`, edges: link.edges, net: link.net, points,
    isEnd: String(level.vertices[link.headVertex].item) === link.headKey,
  };
}
