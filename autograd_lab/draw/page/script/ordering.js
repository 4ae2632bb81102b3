/**
 * Who stands left of whom in the layers of a level, so that few arrows cross.
 *
 * Relies on nothing.
 */

const SWEEPS = 10;
const RAIL = 4; // how much rather the pieces of one long arrow stand below each other than others do

/**
 * Returns the cells of each layer from left to right, with few crossings: barycentre sweeps, of which the best is kept.
 *
 * @param {{vertex: number, net: number}[][]} layers As of `arrange`, in any order.
 * @param {number[][][]} joints For each gap below a layer, pairs of cells that are joined there.
 * @param {Object[]} vertices
 * @param {{up: number[], down: number[]}[]} ways For each vertex, those above and below it.
 */
export function ordered(layers, joints, vertices, ways) {
  const neighbours = layers.map((cells) => cells.map(() => ({ up: [], down: [] })));
  joints.forEach((pairs, layer) => {
    for (const [above, under] of pairs) {
      neighbours[layer][above].down.push(under);
      neighbours[layer + 1][under].up.push(above);
    }
  });
  let order = firstOrder(layers, neighbours, ways);
  for (const [layer, row] of order.entries()) {
    const hints = layers[layer].map((cell) => hintOf(cell, vertices));
    row.sort((left, right) => hints[left] - hints[right]);
  }
  let best = order.map((row) => [...row]);
  let fewest = crossings(order, joints);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    order = swept(order, neighbours, layers, vertices, sweep % 2 === 0);
    const count = crossings(order, joints);
    if (count < fewest) {
      fewest = count;
      best = order.map((row) => [...row]);
    }
  }
  return best.map((row, layer) => row.map((at) => layers[layer][at]));
}

/** The order in which a walk from above meets the cells, going deep first. */
function firstOrder(layers, neighbours, ways) {
  const order = layers.map(() => []);
  const met = layers.map((cells) => new Uint8Array(cells.length));
  const waiting = [];
  const starts = [];
  layers.forEach((cells, layer) => cells.forEach((cell, at) => {
    if (!neighbours[layer][at].up.length) starts.push([layer, at]);
  }));
  for (const start of starts) {
    waiting.push(start);
    while (waiting.length) {
      const [layer, at] = waiting.pop();
      if (met[layer][at]) continue;
      met[layer][at] = 1;
      order[layer].push(at);
      const under = inStrandOrder(layers[layer][at], neighbours[layer][at].down, layers[layer + 1], ways);
      for (const next of under.reverse()) waiting.push([layer + 1, next]);
    }
  }
  return order;
}

/** The cells under a vertex in the order of its strands: the slots of a node stay from left to right. */
function inStrandOrder(cell, under, cells, ways) {
  if (cell.vertex < 0) return [...under];
  const rank = (at) => ways[cell.vertex].down.indexOf(cells[at].vertex < 0 ? cells[at].net >> 1 : cells[at].vertex);
  return [...under].sort((left, right) => rank(left) - rank(right));
}

function swept(order, neighbours, layers, vertices, downwards) {
  const result = order.map((row) => [...row]);
  const place = layers.map((cells) => new Float64Array(cells.length));
  const note = (layer) => result[layer].forEach((at, index) => {
    place[layer][at] = (index + 0.5) / result[layer].length;
  });
  const rows = [...layers.keys()];
  if (!downwards) rows.reverse();
  note(rows[0]);
  for (const layer of rows.slice(1)) {
    const other = downwards ? layer - 1 : layer + 1;
    const side = downwards ? "up" : "down";
    note(layer);
    const key = result[layer].map((at) => {
      const near = neighbours[layer][at][side];
      if (!near.length) return place[layer][at];
      const weight = (next) => (layers[layer][at].vertex < 0 && layers[other][next].vertex < 0 ? RAIL : 1);
      const total = near.reduce((sum, next) => sum + weight(next), 0);
      return near.reduce((sum, next) => sum + weight(next) * place[other][next], 0) / total;
    });
    const hints = result[layer].map((at) => hintOf(layers[layer][at], vertices));
    const turn = [...key.keys()].sort((left, right) => hints[left] - hints[right] || key[left] - key[right] || left - right);
    result[layer] = turn.map((index) => result[layer][index]);
    note(layer);
  }
  return result;
}

/** Ports stand by what lies outside; everything else is free. */
function hintOf(cell, vertices) {
  return cell.vertex >= 0 && vertices[cell.vertex].row ? vertices[cell.vertex].hint : 0;
}

function crossings(order, joints) {
  let total = 0;
  joints.forEach((pairs, layer) => {
    if (pairs.length < 2) return;
    const place = (row) => row.reduce((places, at, index) => places.set(at, index), new Map());
    const [upper, lower] = [place(order[layer]), place(order[layer + 1])];
    const ends = pairs.map(([above, under]) => [upper.get(above), lower.get(under)]);
    ends.sort((left, right) => left[0] - right[0] || left[1] - right[1]);
    total += inversions(ends.map((end) => end[1]), order[layer + 1].length);
  });
  return total;
}

/** How many pairs stand in the wrong order: with a tree of sums. */
function inversions(values, size) {
  const tree = new Int32Array(size + 1);
  let total = 0;
  values.forEach((value, seen) => {
    let before = 0;
    for (let at = value + 1; at > 0; at -= at & -at) before += tree[at];
    total += seen - before;
    for (let at = value + 1; at <= size; at += at & -at) tree[at] += 1;
  });
  return total;
}
