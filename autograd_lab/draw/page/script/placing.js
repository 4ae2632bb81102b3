/**
 * How far to the right each cell of a level stands: long ways are straight, neighbours keep their distance.
 *
 * Relies on nothing. Cells that are joined by a straight piece form a *chain*, which moves as one. Chains are pushed
 * left as far as they go; then each is drawn to the middle of what it's joined to, as far as its neighbours let it.
 */

const ROUNDS = 6;

/**
 * Sets `x` of every cell.
 *
 * @param {{width: number}[][]} layers Cells from left to right.
 * @param {{upper: Object, upperAt: number, lower: Object, lowerAt: number, weight: number}[][]} joints For each gap
 * below a
 *   layer, the pieces that lead from a cell's place (how far from its left side) to one of the next layer's. The
 *   heavier a piece, the sooner it's straight.
 * @param {function(Object, Object): number} distance Between two neighbours.
 * @param {function(Object): number} offset Of a straight piece, how far its lower cell's left side stands to the right
 *   of that of its upper cell.
 */
export function place(layers, joints, distance, offset = fromPorts) {
  layers.forEach((cells) => cells.forEach((cell, index) => {
    Object.assign(cell, { index, chain: null, shift: 0, x: 0 });
  }));
  const straight = align(joints);
  const chains = chainsOf(layers, straight, offset);
  const limits = limitsOf(layers, distance);
  const sequence = leftToRight(chains, limits);
  pushLeft(sequence, limits);
  const pulls = pullsOf(joints, straight);
  for (let round = 0; round < ROUNDS; round++) {
    const turn = round % 2 === 0 ? [...sequence].reverse() : sequence;
    for (const chain of turn) draw(chain, limits, pulls);
  }
  for (const cells of layers) for (const cell of cells) cell.x = cell.chain.x + cell.shift;
}

/** The pieces that shall be straight: the heaviest first, none across another, one above and one below each cell. */
function align(joints) {
  const straight = new Set();
  const [hasUp, hasDown] = [new Set(), new Set()];
  const taken = joints.map(() => []);
  const all = joints.flatMap((pieces, gap) => pieces.map((piece) => ({ piece, gap })));
  all.sort((left, right) => right.piece.weight - left.piece.weight || left.gap - right.gap);
  for (const { piece, gap } of all) {
    if (hasDown.has(piece.upper) || hasUp.has(piece.lower)) continue;
    const across = taken[gap].some(
      (other) => (other.upper.index - piece.upper.index) * (other.lower.index - piece.lower.index) < 0,
    );
    if (across) continue;
    straight.add(piece);
    hasDown.add(piece.upper);
    hasUp.add(piece.lower);
    taken[gap].push(piece);
  }
  return straight;
}

/** A straight piece leads straight down. */
function fromPorts({ upperAt, lowerAt }) {
  return upperAt - lowerAt;
}

function chainsOf(layers, straight, offset) {
  const next = new Map();
  const isFirst = new Set(layers.flat());
  for (const piece of straight) {
    next.set(piece.upper, piece);
    isFirst.delete(piece.lower);
  }
  return [...isFirst].map((first) => {
    const chain = { cells: [], x: 0 };
    let [cell, shift] = [first, 0];
    for (;;) {
      Object.assign(cell, { chain, shift });
      chain.cells.push(cell);
      const piece = next.get(cell);
      if (!piece) return chain;
      shift += offset(piece);
      cell = piece.lower;
    }
  });
}

/** For each chain, how near it may come to those on its left and on its right. */
function limitsOf(layers, distance) {
  const limits = new Map();
  const of = (chain) => {
    if (!limits.has(chain)) limits.set(chain, { left: new Map(), right: new Map() });
    return limits.get(chain);
  };
  for (const cells of layers) {
    for (let index = 0; index < cells.length; index++) {
      of(cells[index].chain);
      if (!index) continue;
      const [left, right] = [cells[index - 1], cells[index]];
      const apart = left.shift + left.width + distance(left, right) - right.shift;
      const known = of(right.chain).left.get(left.chain) ?? -Infinity;
      if (apart <= known) continue;
      of(right.chain).left.set(left.chain, apart);
      of(left.chain).right.set(right.chain, apart);
    }
  }
  return limits;
}

/** Chains so that each comes after all on its left. There is no circle, since no straight piece crosses another. */
function leftToRight(chains, limits) {
  const missing = new Map(chains.map((chain) => [chain, limits.get(chain).left.size]));
  const ready = chains.filter((chain) => !missing.get(chain));
  for (let at = 0; at < ready.length; at++) {
    for (const right of limits.get(ready[at]).right.keys()) {
      missing.set(right, missing.get(right) - 1);
      if (!missing.get(right)) ready.push(right);
    }
  }
  return ready;
}

function pushLeft(sequence, limits) {
  for (const chain of sequence) {
    chain.x = Math.max(0, ...[...limits.get(chain).left].map(([left, apart]) => left.x + apart));
  }
}

/**
 * For each chain, the pieces that aren't straight: `[other chain, where this chain would have to be relative to it]`.
 */
function pullsOf(joints, straight) {
  const pulls = new Map();
  const add = (chain, other, offset, weight) => {
    if (!pulls.has(chain)) pulls.set(chain, []);
    pulls.get(chain).push({ other, offset, weight });
  };
  for (const piece of joints.flat()) {
    if (straight.has(piece)) continue;
    const offset = piece.upper.shift + piece.upperAt - piece.lower.shift - piece.lowerAt;
    add(piece.lower.chain, piece.upper.chain, offset, piece.weight);
    add(piece.upper.chain, piece.lower.chain, -offset, piece.weight);
  }
  return pulls;
}

/** Moves a chain to the median of the places to which it's pulled. */
function draw(chain, limits, pulls) {
  const wanted = (pulls.get(chain) ?? []).map(({ other, offset }) => other.x + offset);
  if (!wanted.length) return;
  wanted.sort((left, right) => left - right);
  const middle = (wanted[(wanted.length - 1) >> 1] + wanted[wanted.length >> 1]) / 2;
  const { left, right } = limits.get(chain);
  let [least, most] = [-Infinity, Infinity];
  for (const [other, apart] of left) least = Math.max(least, other.x + apart);
  for (const [other, apart] of right) most = Math.min(most, other.x - apart);
  chain.x = Math.min(Math.max(middle, least), Math.max(most, least));
}
