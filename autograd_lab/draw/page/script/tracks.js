/**
 * The gap between two layers: arrows that must go sideways there each get a height of their own, their *track*.
 *
 * Relies on nothing. Promises that two arrows to different heads never run along the same piece, as far as that can be.
 */

const NEAR = 5; // points: nearer than this, two vertical pieces would look like one
const OVERLAP = 50; // how many crossings one such piece is worth

/**
 * Returns a track for each net that goes sideways, and how many there are.
 *
 * @param {{net: *, upper: number, lower: number}[]} pieces From where above to where below, for each piece in the gap.
 * @returns {{of: Map, count: number}} Tracks are numbered from 0, the uppermost.
 */
export function tracksOf(pieces) {
  const nets = spansOf(pieces);
  const rows = [];
  for (const net of inOrder(nets)) {
    const above = rows.filter((other) => other.least - NEAR <= net.most && net.least - NEAR <= other.most);
    rows.push(Object.assign(net, { track: 1 + Math.max(-1, ...above.map((other) => other.track)) }));
  }
  return {
    of: new Map(nets.map(({ net, track }) => [net, track])),
    count: 1 + Math.max(-1, ...nets.map(({ track }) => track)),
  };
}

/** Each net that goes sideways: where it comes from above and goes on below, and from where to where it runs. */
function spansOf(pieces) {
  const spans = new Map();
  for (const { net, upper, lower } of pieces) {
    const span = spans.get(net) ?? { net, uppers: [], lowers: [], least: Infinity, most: -Infinity };
    spans.set(net, span);
    span.uppers.push(upper);
    span.lowers.push(lower);
    span.least = Math.min(span.least, upper, lower);
    span.most = Math.max(span.most, upper, lower);
  }
  return [...spans.values()].filter((span) => span.most - span.least >= 1);
}

/** Nets from the uppermost track down: each is put where it crosses the fewest of those before it. */
function inOrder(nets) {
  const order = [];
  const turn = [...nets].sort((left, right) => left.most - left.least - (right.most - right.least));
  for (const net of turn) {
    let cost = order.reduce((sum, other) => sum + costOf(net, other), 0);
    let [best, least] = [0, cost];
    order.forEach((other, at) => {
      cost += costOf(other, net) - costOf(net, other);
      if (cost < least) [best, least] = [at + 1, cost];
    });
    order.splice(best, 0, net);
  }
  return order;
}

/** How much is crossed where one net runs above another. */
function costOf(above, under) {
  const within = (x, net) => x > net.least && x < net.most;
  let cost = 0;
  for (const x of under.uppers) if (within(x, above)) cost += 1;
  for (const x of above.lowers) {
    if (within(x, under)) cost += 1;
    for (const other of under.uppers) if (Math.abs(x - other) < NEAR) cost += OVERLAP;
  }
  return cost;
}
