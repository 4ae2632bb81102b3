/**
 * Levels: what lies in one box, which arrows lead between its parts and through its frame, and in what order all that
 * stands. Everything here holds whatever is open (Note [Order is forever] in `layers.js`).
 *
 * Relies on `layers.js`.
 */

import { arrange, netOf } from "./layers.js";

/** The ports of a frame: where an arrow passes it, and whether it leads in or out. */
export const PORTS = Object.freeze({
  topIn: { row: "first", inward: true, upward: false },
  bottomOut: { row: "last", inward: false, upward: false },
  topOut: { row: "first", inward: false, upward: true },
  bottomIn: { row: "last", inward: true, upward: true },
});

/**
 * Returns a function from a box to its level, each made once.
 *
 * A level has `children` (items), `vertices`, `layers` and `below` (as of `arrange`), `vertexOf(item)`,
 * `portOf(child, kind)`, `isUpward(tail item, head item)`, and `crossing`: `{edge, child, item, port}` for each edge that
 * passes its frame, where `item` is the edge's end inside and `child` the child that holds it.
 *
 * @param {Object} graph From `createGraph`.
 */
export function createLevels(graph) {
  const levels = new Map();
  return function levelOf(box) {
    if (!levels.has(box)) levels.set(box, makeLevel(graph, box, levelOf));
    return levels.get(box);
  };
}

function makeLevel(graph, box, levelOf) {
  const children = graph.childrenOf(box);
  const indexOf = new Map(children.map((item, index) => [item, index]));
  const vertices = children.map((item, index) => ({ item, row: null, rank: index, hint: 0 }));
  const strands = new Map();
  const add = (tail, head, upward) => {
    const key = tail * 65536 + head;
    if (!strands.has(key)) strands.set(key, { tail, head, upward });
  };

  for (const edge of graph.edgesAt(box)) {
    add(indexOf.get(graph.tailAt(edge)), indexOf.get(graph.headAt(edge)), undefined);
  }
  const crossing = crossingEdges(graph, box, levelOf);
  const ports = addPorts(crossing, indexOf, vertices);
  for (const { child, kind } of crossing) {
    const [vertex, port] = [indexOf.get(child), ports.get(`${kind}${child}`)];
    const { inward, upward } = PORTS[kind];
    if (inward) add(port, vertex, upward);
    else add(vertex, port, upward);
  }
  const all = [...strands.values()];
  const { layers, below, layerOf } = arrange(vertices, all);
  return {
    box, children, vertices, layers, below, layerOf, crossing,
    vertexOf: (item) => indexOf.get(item),
    portOf: (child, kind) => ports.get(`${kind}${child}`),
    isUpward: (tail, head) => strands.get(indexOf.get(tail) * 65536 + indexOf.get(head)).upward,
    placeOf: placeFinder(layers, layerOf),
  };
}

/** The edges with one end in the box and the other outside. */
function crossingEdges(graph, box, levelOf) {
  const found = [];
  const inside = graph.boxItem(box);
  const path = graph.pathOf(inside);
  for (const around of path) {
    const passing = around === path.at(-1) ? inside : graph.boxItem(path[path.indexOf(around) + 1]);
    for (const edge of graph.edgesAt(around)) {
      const [tail, head] = [graph.tailAt(edge), graph.headAt(edge)];
      if (tail !== passing && head !== passing) continue;
      const inward = head === passing;
      const item = inward ? graph.headOf(edge) : graph.tailOf(edge);
      const child = childOn(graph, item, box);
      if (child === null) continue;
      const upward = levelOf(around).isUpward(tail, head);
      const kind = Object.keys(PORTS).find((name) => PORTS[name].inward === inward && PORTS[name].upward === upward);
      found.push({ edge, child, item, kind, hint: hintOf(graph, levelOf(path.at(-1)), inside, edge, kind) });
    }
  }
  return found;
}

/** The child of a box that an item lies in, or null. */
function childOn(graph, item, box) {
  let at = item;
  while (at !== null && graph.parentOf(at) !== box) {
    const parent = graph.parentOf(at);
    if (parent < 0) return null;
    at = graph.boxItem(parent);
  }
  return at;
}

/** How far to the right, in the level around, the other end of an edge that passes the frame of `inside` lies. */
function hintOf(graph, level, inside, edge, kind) {
  const { inward, upward, row } = PORTS[kind];
  const here = level.vertexOf(inside);
  const near = level.vertexOf(inward ? graph.tailAt(edge) : graph.headAt(edge)) ?? level.portOf(inside, kind);
  return level.placeOf(here, near, netOf(inward ? here : near, upward), row === "last");
}

/** Adds a port for each child and way through the frame; those of a row stand by where they lead. */
function addPorts(crossing, indexOf, vertices) {
  const hints = new Map();
  for (const { child, kind, hint } of crossing) {
    const key = `${kind}${child}`;
    const known = hints.get(key) ?? { child, kind, sum: 0, count: 0 };
    known.sum += hint;
    known.count += 1;
    hints.set(key, known);
  }
  const ports = new Map();
  const sorted = [...hints].map(([key, { child, kind, sum, count }]) => ({ key, child, kind, hint: sum / count }));
  sorted.sort((left, right) => left.hint - right.hint || indexOf.get(left.child) - indexOf.get(right.child));
  for (const { key, child, kind, hint } of sorted) {
    ports.set(key, vertices.length);
    vertices.push({ item: null, child, kind, row: PORTS[kind].row, rank: -1, hint });
  }
  return ports;
}

/** A function: where in the layer next to a vertex (the one below, or above) the way to another vertex goes on. */
function placeFinder(layers, layerOf) {
  const vertexAt = new Map();
  const netAt = new Map();
  layers.forEach((cells, layer) => cells.forEach((cell, index) => {
    if (cell.vertex >= 0) vertexAt.set(cell.vertex, index);
    else netAt.set(`${layer}:${cell.net}`, index);
  }));
  return (from, to, net, below) => {
    const layer = layerOf[from] + (below ? 1 : -1);
    return netAt.get(`${layer}:${net}`) ?? vertexAt.get(to) ?? 0;
  };
}
