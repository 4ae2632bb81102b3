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
 * `portOf(edge)`, `isUpward(tail item, head item)`, and `crossing`: `{edge, child, item, kind, joined, port}` for each
 * edge that passes its frame, where `item` is the edge's end inside, `child` the child that holds it, and `port` the
 * vertex of its port.
 *
 * Note [Ports that are shared] Arrows from several nodes in a box to one node outside leave by one port: the uses of a
 * weight in an unrolled network run together as soon as they can. `joined` is that node, or null. All other ports
 * belong to what is seen inside, and so depend on nothing outside.
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
  addPorts(crossing, indexOf, vertices);
  for (const { child, kind, port } of crossing) {
    const { inward, upward } = PORTS[kind];
    if (inward) add(port, indexOf.get(child), upward);
    else add(indexOf.get(child), port, upward);
  }
  const portOf = new Map(crossing.map(({ edge, port }) => [edge, port]));
  const all = [...strands.values()];
  const { layers, below, layerOf } = arrange(vertices, all);
  return {
    box, children, vertices, layers, below, layerOf, crossing,
    vertexOf: (item) => indexOf.get(item),
    portOf: (edge) => portOf.get(edge),
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
      found.push({ edge, child, item, kind, joined: null, hint: hintOf(graph, levelOf(path.at(-1)), inside, edge, kind) });
    }
  }
  return joinHeads(graph, found);
}

/** See Note [Ports that are shared]. */
function joinHeads(graph, crossing) {
  const tails = new Map();
  const outward = crossing.filter(({ kind }) => !PORTS[kind].inward);
  for (const { edge, item, kind } of outward) {
    const key = `${kind}${graph.headOf(edge)}`;
    tails.set(key, (tails.get(key) ?? new Set()).add(item));
  }
  for (const found of outward) {
    const head = graph.headOf(found.edge);
    if (tails.get(`${found.kind}${head}`).size > 1) found.joined = head;
  }
  return crossing;
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
  const near = level.vertexOf(inward ? graph.tailAt(edge) : graph.headAt(edge)) ?? level.portOf(edge);
  return level.placeOf(here, near, netOf(inward ? here : near, upward), row === "last");
}

/**
 * Adds a port for each child and way through the frame, or for each node that several lead to; those of a row stand by
 * where they lead.
 */
function addPorts(crossing, indexOf, vertices) {
  const ports = new Map();
  for (const found of crossing) {
    const key = found.joined === null ? `${found.kind}${found.child}` : `${found.kind}to${found.joined}`;
    if (!ports.has(key)) ports.set(key, []);
    ports.get(key).push(found);
  }
  const mean = (group, value) => group.reduce((sum, each) => sum + value(each), 0) / group.length;
  const sorted = [...ports.values()].map((group) => ({
    group, hint: mean(group, ({ hint }) => hint), place: mean(group, ({ child }) => indexOf.get(child)),
  }));
  sorted.sort((left, right) => left.hint - right.hint || left.place - right.place);
  for (const { group, hint } of sorted) {
    const { kind, child, joined } = group[0];
    for (const found of group) found.port = vertices.length;
    vertices.push({ item: null, child: joined === null ? child : null, kind, row: PORTS[kind].row, rank: -1, hint });
  }
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
