/**
 * The layered layout of one level, as far as it doesn't depend on what is open: in which layer each vertex lies, and
 * who is left of whom.
 *
 * Relies on `ordering.js`. A level has *vertices* (what lies in a box, and the ports in its frame) and *strands*
 * (arrows from a tail to a head). Strands lead down, except that some must lead up where the level has a circle. All
 * strands to one head run together as a *net*: a net has one *cell* in each layer that it passes.
 *
 * Note [Order is forever]. Everything here is worked out once for a level, with all its boxes closed. Opening a box
 * makes room for it and never swaps two neighbours: that is why nothing jumps.
 */

import { ordered } from "./ordering.js";

/** No more vertices than this side by side; those beyond go into the next layer. */
export const WIDEST = 12;

/**
 * Returns the order of a level.
 *
 * @param {{row: ("first"|"last"|null), rank: number, hint: number}[]} vertices `row` is that of a port; among those not
 *   in circles' way, vertices of lower `rank` come first; ports of one row stand by `hint`.
 * @param {{tail: number, head: number, upward: (boolean|undefined)}[]} strands Between ports and others `upward` is
 * given;
 *   elsewhere it's found here and set.
 * @returns {{layers: {vertex: number, net: number}[][], layerOf: number[], below: number[]}} A cell's `vertex` is -1
 * for a
 *   net that passes; `net` is `netOf(head, upward)`. `below` is the length of the longest way down from a vertex.
 */
export function arrange(vertices, strands) {
  const sequence = untangle(vertices, strands);
  const ways = waysOf(vertices.length, strands);
  const below = heights(vertices, sequence, ways);
  const layerOf = assign(vertices, sequence, ways, below);
  const layers = cellsOf(vertices, strands, layerOf);
  const joints = jointsOf(strands, layerOf, layers);
  return { layers: ordered(layers, joints, vertices, ways), layerOf, below };
}

/** The number of the net of all strands to a head that lead the same way. */
export function netOf(head, upward) {
  return head * 2 + (upward ? 1 : 0);
}

/** Vertices so that as few strands as possible lead back; marks those that do. */
function untangle(vertices, strands) {
  const outward = vertices.map(() => []);
  const missing = vertices.map(() => 0);
  for (const strand of strands) {
    if (vertices[strand.tail].row || vertices[strand.head].row) continue;
    outward[strand.tail].push(strand);
    missing[strand.head] += 1;
  }
  const waiting = new Set(vertices.keys());
  const place = [];
  const sequence = [];
  while (waiting.size) {
    let next = -1;
    for (const vertex of waiting) if (next < 0 || isBefore(vertices, missing, vertex, next)) next = vertex;
    waiting.delete(next);
    place[next] = sequence.length;
    sequence.push(next);
    for (const strand of outward[next]) missing[strand.head] -= 1;
  }
  for (const strand of strands) strand.upward ??= place[strand.head] < place[strand.tail];
  return sequence;
}

function isBefore(vertices, missing, left, right) {
  const free = Number(missing[right] === 0) - Number(missing[left] === 0);
  return free ? free < 0 : vertices[left].rank < vertices[right].rank;
}

/** For each vertex, those right above and below it by its strands; ports are left out. */
function waysOf(count, strands) {
  const ways = Array.from({ length: count }, () => ({ up: [], down: [] }));
  for (const { tail, head, upward } of strands) {
    const [upper, lower] = upward ? [head, tail] : [tail, head];
    ways[upper].down.push(lower);
    ways[lower].up.push(upper);
  }
  return ways;
}

/** How far it goes down from each vertex; what leads out of the level goes farther than anything in it. */
function heights(vertices, sequence, ways) {
  const start = (vertex) => (vertices[vertex].row === "last" ? vertices.length : 0);
  const below = [];
  vertices.forEach((_, vertex) => {
    below[vertex] = start(vertex);
  });
  for (const vertex of [...sequence].reverse()) {
    below[vertex] = ways[vertex].down.reduce((most, lower) => Math.max(most, below[lower] + 1), start(vertex));
  }
  return below;
}

/** The layer of each vertex: as high as it can be, then down to where most of its strands lead. */
function assign(vertices, sequence, ways, below) {
  const layerOf = vertices.map(() => 0);
  const inner = sequence.filter((vertex) => !vertices[vertex].row);
  const earliest = [];
  for (const vertex of inner) earliest[vertex] = lowest(ways[vertex].up, earliest, vertices) + 1;
  const counts = [];
  const turn = [...inner].sort((left, right) => earliest[left] - earliest[right] || below[right] - below[left]);
  for (const vertex of turn) {
    let layer = lowest(ways[vertex].up, layerOf, vertices) + 1;
    while ((counts[layer] ?? 0) >= WIDEST) layer += 1;
    layerOf[vertex] = layer;
    counts[layer] = (counts[layer] ?? 0) + 1;
  }
  for (const vertex of [...inner].reverse()) settle(vertex, vertices, ways, layerOf, counts);
  const last = inner.reduce((most, vertex) => Math.max(most, layerOf[vertex]), 0) + 1;
  vertices.forEach((vertex, index) => {
    if (vertex.row === "last") layerOf[index] = last;
  });
  return layerOf;
}

function lowest(uppers, layerOf, vertices) {
  return uppers.reduce((most, upper) => Math.max(most, vertices[upper].row ? 0 : layerOf[upper]), 0);
}

/** Moves a vertex down that has more strands below it than above, so that they are short. */
function settle(vertex, vertices, ways, layerOf, counts) {
  const isInner = (other) => !vertices[other].row;
  const down = ways[vertex].down.filter(isInner);
  if (ways[vertex].up.filter(isInner).length >= down.length) return;
  const layer = Math.min(...down.map((lower) => layerOf[lower])) - 1;
  if (layer <= layerOf[vertex] || (counts[layer] ?? 0) >= WIDEST) return;
  counts[layerOf[vertex]] -= 1;
  counts[layer] = (counts[layer] ?? 0) + 1;
  layerOf[vertex] = layer;
}

/** Layers of cells: one for each vertex, and one for each net in each layer that it passes. */
function cellsOf(vertices, strands, layerOf) {
  const count = Math.max(1, ...layerOf) + 1;
  const layers = Array.from({ length: count }, () => []);
  vertices.forEach((_, vertex) => layers[layerOf[vertex]].push({ vertex, net: -1 }));
  const spans = new Map();
  for (const { tail, head, upward } of strands) {
    const net = netOf(head, upward);
    const from = Math.min(layerOf[tail], layerOf[head]) + 1;
    const to = Math.max(layerOf[tail], layerOf[head]) - 1;
    const span = spans.get(net) ?? [Infinity, -Infinity];
    spans.set(net, [Math.min(span[0], from), Math.max(span[1], to)]);
  }
  for (const [net, [from, to]] of spans) {
    for (let layer = from; layer <= to; layer++) layers[layer].push({ vertex: -1, net });
  }
  return layers;
}

/** For each gap below a layer, the pairs of cells that a strand joins there, as places in the lists of `layers`. */
function jointsOf(strands, layerOf, layers) {
  const nameOf = (cell) => (cell.vertex < 0 ? `n${cell.net}` : cell.vertex);
  const places = layers.map((cells) => new Map(cells.map((cell, at) => [nameOf(cell), at])));
  const joints = layers.map(() => new Map());
  for (const { tail, head, upward } of strands) {
    const net = `n${netOf(head, upward)}`;
    const [upper, lower] = upward ? [head, tail] : [tail, head];
    for (let layer = layerOf[upper]; layer < layerOf[lower]; layer++) {
      const above = places[layer].get(layer === layerOf[upper] ? upper : net);
      const under = places[layer + 1].get(layer + 1 === layerOf[lower] ? lower : net);
      joints[layer].set(above * 65536 + under, [above, under]);
    }
  }
  return joints.map((found) => [...found.values()]);
}
