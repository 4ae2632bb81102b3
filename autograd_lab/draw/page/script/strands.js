/**
 * A level with some of its boxes open: its cells and the pieces between them. Each net of the level becomes as many as
 * there are heads to be seen in the box that it leads to; they run side by side.
 *
 * Relies on `layers.js` and `levels.js`.
 */

import { netOf } from "./layers.js";
import { PORTS } from "./levels.js";

const SLOT = 14; // points between two places at which arrows leave a node
const RAIL = 1e6; // pieces of one long arrow are straight before all else


/**
 * Returns the cells in their layers, the pieces between layers and the links that they make up.
 *
 * A cell: `{item, port, width, height}`, `item` null for ports and rails. A link: `{key, tailVertex, tailKey,
 * headVertex, headKey, net, edges, upward, joints}`, its joints from the top down.
 *
 * @param {Object} graph
 * @param {Object} level
 * @param {Map} inners The layouts of open boxes, by item.
 * @param {Set} open
 * @param {function(number): {width: number, height: number}} sizeOf
 */
export function strandsOf(graph, level, inners, open, sizeOf) {
  const links = linksOf(graph, level, inners, open);
  const nets = netsOf(links, level);
  const { layers, cellOf, railOf } = cellsOf(level, inners, links, nets, sizeOf);
  const ends = endsOf(links, level, inners, cellOf, railOf);
  const joints = layers.map(() => new Map());
  for (const link of links) link.joints = jointsOf(link, level, cellOf, railOf, ends, joints);
  return { layers, joints: joints.map((found) => [...found.values()]), links };
}

/**
 * What is seen of the level's edges: one link for each pair of ends. The key of an end is what tells it from others at
 * the same vertex: an item, or in an open box the port.
 */
function linksOf(graph, level, inners, open) {
  const found = new Map();
  const keyAt = (child, edge) => inners.get(child)?.portAt.get(edge) ?? String(child);
  const add = (tailVertex, tailKey, headVertex, headKey, upward, edge) => {
    const key = `${tailVertex}:${tailKey}>${headVertex}:${headKey}`;
    if (!found.has(key)) {
      found.set(key, {
        key, tailVertex, tailKey, headVertex, headKey, upward, edges: [], isTagged: false,
        net: `${netOf(headVertex, upward)}:${headKey}`,
      });
    }
    const link = found.get(key);
    link.edges.push(edge);
    link.isTagged ||= link.edges.length > 1 || graph.isNamed(edge);
  };
  for (const edge of graph.edgesAt(level.box)) {
    const [tail, head] = [graph.tailAt(edge), graph.headAt(edge)];
    add(level.vertexOf(tail), keyAt(tail, edge), level.vertexOf(head), keyAt(head, edge), level.isUpward(tail, head), edge);
  }
  for (const crossing of level.crossing) {
    const { edge, child, kind, port } = crossing;
    const { inward, upward } = PORTS[kind];
    const [vertex, key, own] = [level.vertexOf(child), keyAt(child, edge), portKey(graph, crossing, inners, open)];
    if (inward) add(port, own, vertex, key, upward, edge);
    else add(vertex, key, port, own, upward, edge);
  }
  return [...found.values()];
}

/** What the port is called by which an edge passes the frame. See Note [Ports that are shared] in `levels.js`. */
export function portKey(graph, { child, item, kind, joined }, inners, open) {
  if (joined !== null) return `${kind}:to${joined}`;
  return `${kind}:${inners.has(child) ? graph.shownFor(item, open) : child}`;
}

/** The nets that are seen: `{head, key, upward, from, to}`, `from` and `to` the layers that they pass. */
function netsOf(links, level) {
  const nets = new Map();
  for (const { net, tailVertex, headVertex, headKey, upward } of links) {
    const known = nets.get(net) ?? { head: headVertex, key: headKey, upward, from: Infinity, to: -Infinity };
    nets.set(net, known);
    const [tail, head] = [level.layerOf[tailVertex], level.layerOf[headVertex]];
    known.from = Math.min(known.from, Math.min(tail, head) + 1);
    known.to = Math.max(known.to, Math.max(tail, head) - 1);
  }
  return nets;
}

/** How far to the right a port of an open box stands; 0 for what is closed. */
function portPlace(inners, child, key) {
  return inners.get(child)?.ports.get(key) ?? 0;
}

function cellsOf(level, inners, links, nets, sizeOf) {
  const portOrder = orderAtPorts(links, level, inners);
  const byHead = new Map();
  for (const [name, net] of nets) {
    const number = netOf(net.head, net.upward);
    const { item, child, kind } = level.vertices[net.head];
    const at = kind ? portOrder(child, net.key) : portPlace(inners, item, net.key);
    if (!byHead.has(number)) byHead.set(number, []);
    byHead.get(number).push({ name, net, at });
  }
  for (const group of byHead.values()) group.sort((left, right) => left.at - right.at);
  const keysAt = new Map();
  for (const { tailVertex, tailKey, headVertex, headKey } of links) {
    for (const [vertex, key] of [[tailVertex, tailKey], [headVertex, headKey]]) {
      if (level.vertices[vertex].row) keysAt.set(vertex, (keysAt.get(vertex) ?? new Set()).add(key));
    }
  }
  const cellOf = new Map();
  const railOf = new Map();
  const layers = level.layers.map((cells, layer) => cells.flatMap(({ vertex, net }) => {
    if (vertex < 0) {
      const passing = (byHead.get(net) ?? []).filter((each) => each.net.from <= layer && layer <= each.net.to);
      return passing.map(({ name }) => kept(railOf, `${layer}|${name}`, bare(null)));
    }
    const { item, child, kind } = level.vertices[vertex];
    if (!kind) {
      const { width, height } = sizeOf(item);
      return [kept(cellOf, `${vertex}`, { item, port: null, width, height })];
    }
    const keys = [...keysAt.get(vertex)];
    keys.sort((left, right) => portOrder(child, left) - portOrder(child, right));
    return keys.map((key) => kept(cellOf, `${vertex}:${key}`, bare(key)));
  }));
  layers.forEach((cells) => cells.forEach((cell, index) => {
    cell.index = index;
  }));
  return {
    layers,
    cellOf: (vertex, key) => cellOf.get(level.vertices[vertex].row ? `${vertex}:${key}` : `${vertex}`),
    railOf: (layer, net) => railOf.get(`${layer}|${net}`),
  };
}

/** A function: how far to the right, in a child, that lies which a port of the frame lets through. */
function orderAtPorts(links, level, inners) {
  const inside = new Map();
  for (const { tailVertex, tailKey, headVertex, headKey } of links) {
    if (level.vertices[headVertex].row) inside.set(headKey, tailKey);
    if (level.vertices[tailVertex].row) inside.set(tailKey, headKey);
  }
  return (child, key) => (child === null ? 0 : portPlace(inners, child, inside.get(key)));
}

function bare(port) {
  return { item: null, port, width: 0, height: 0 };
}

function kept(map, key, value) {
  map.set(key, value);
  return value;
}

/**
 * Where, from the left side of their cells, links begin and end: a function of a link and whether its tail is meant.
 * In an open box that's a port; on a closed one and on a node, arrows of different nets have places of their own, and
 * the one that leads farthest has the middle.
 */
function endsOf(links, level, inners, cellOf, railOf) {
  const sides = new Map();
  const side = (vertex, isBelow) => {
    const key = `${vertex}:${isBelow}`;
    if (!sides.has(key)) sides.set(key, new Map());
    return sides.get(key);
  };
  const isFree = (vertex) => !level.vertices[vertex].row && !inners.has(level.vertices[vertex].item);
  for (const link of links) {
    for (const isTail of [true, false]) {
      const vertex = isTail ? link.tailVertex : link.headVertex;
      if (!isFree(vertex)) continue;
      const isBelow = isTail !== link.upward;
      const layer = level.layerOf[vertex] + (isBelow ? 1 : -1);
      const beside = isTail ? cellOf(link.headVertex, link.headKey) : cellOf(link.tailVertex, link.tailKey);
      const next = railOf(layer, link.net) ?? beside;
      const weight = isTail && isBelow ? level.below[link.headVertex] : isTail ? -1 : Infinity;
      side(vertex, isBelow).set(link.net, { index: next.index, weight });
    }
  }
  const places = new Map();
  for (const [key, found] of sides) places.set(key, spread(found, cellOf(Number(key.split(":")[0])).width));

  return (link, isTail) => {
    const [vertex, key] = isTail ? [link.tailVertex, link.tailKey] : [link.headVertex, link.headKey];
    if (level.vertices[vertex].row) return 0;
    if (isFree(vertex)) return places.get(`${vertex}:${isTail !== link.upward}`).get(link.net);
    return inners.get(level.vertices[vertex].item).ports.get(key);
  };
}

/** Places along one side of a box: in the order of where the arrows lead, the weightiest in the middle. */
function spread(found, width) {
  const nets = [...found].sort((left, right) => left[1].index - right[1].index);
  const most = nets.reduce((best, [, { weight }], at) => (weight > nets[best][1].weight ? at : best), 0);
  const half = width / 2 - 8;
  const leftStep = Math.min(SLOT, half / Math.max(1, most));
  const rightStep = Math.min(SLOT, half / Math.max(1, nets.length - 1 - most));
  return new Map(nets.map(([net], at) => [net, width / 2 + (at - most) * (at < most ? leftStep : rightStep)]));
}

/** The pieces of a link from the top down; those that several links share are the same objects. */
function jointsOf(link, level, cellOf, railOf, ends, joints) {
  const [tailLayer, headLayer] = [level.layerOf[link.tailVertex], level.layerOf[link.headVertex]];
  const [first, last] = link.upward ? [headLayer, tailLayer] : [tailLayer, headLayer];
  const tail = { cell: cellOf(link.tailVertex, link.tailKey), at: ends(link, true) };
  const head = { cell: cellOf(link.headVertex, link.headKey), at: ends(link, false) };
  const [top, bottom] = link.upward ? [head, tail] : [tail, head];
  const way = [];
  for (let gap = first; gap < last; gap++) {
    const upper = gap === first ? top : { cell: railOf(gap, link.net), at: 0 };
    const lower = gap + 1 === last ? bottom : { cell: railOf(gap + 1, link.net), at: 0 };
    const key = `${upper.cell.index}:${upper.at}>${lower.cell.index}:${lower.at}|${link.net}`;
    if (!joints[gap].has(key)) {
      const isRail = gap > first && gap + 1 < last;
      const ahead = level.below[link.headVertex] + (upper.cell.item === null ? 1 : 1.5); // rather turn a rail than a chain
      const weight = isRail ? RAIL : link.upward ? 0.5 : ahead;
      joints[gap].set(key, {
        gap, net: link.net, weight, isTagged: link.isTagged && gap + 1 === last,
        upper: upper.cell, upperAt: upper.at, lower: lower.cell, lowerAt: lower.at,
      });
    }
    way.push(joints[gap].get(key));
  }
  return way;
}
