/**
 * Lines with rounded corners, as SVG writes them.
 *
 * Relies on nothing.
 */

const RADIUS = 7;
const HEAD = Object.freeze({ length: 7, half: 3.5 });

/**
 * Returns the path through some points.
 *
 * @param {number[][]} points At least two.
 * @param {boolean} hasHead Whether an arrowhead follows, to which room is left.
 */
export function linePath(points, hasHead) {
  const way = points.map((point) => [...point]);
  if (hasHead) way[way.length - 1] = before(way.at(-2), way.at(-1), HEAD.length - 1);
  let path = `M${show(way[0])}`;
  for (let at = 1; at < way.length - 1; at++) {
    const [from, corner, to] = [way[at - 1], way[at], way[at + 1]];
    const radius = Math.min(RADIUS, lengthOf(from, corner) / 2, lengthOf(corner, to) / 2);
    path += `L${show(before(from, corner, radius))}Q${show(corner)} ${show(before(to, corner, radius))}`;
  }
  return `${path}L${show(way.at(-1))}`;
}

/** Returns the arrowhead at the end of some points. */
export function headPath(points) {
  const [from, tip] = [points.at(-2), points.at(-1)];
  const length = lengthOf(from, tip) || 1;
  const [dx, dy] = [(tip[0] - from[0]) / length, (tip[1] - from[1]) / length];
  const [x, y] = [tip[0] - dx * HEAD.length, tip[1] - dy * HEAD.length];
  const [left, right] = [[x - dy * HEAD.half, y + dx * HEAD.half], [x + dy * HEAD.half, y - dx * HEAD.half]];
  return `M${show(tip)}L${show(left)}L${show(right)}Z`;
}

function before(from, to, by) {
  const length = lengthOf(from, to);
  if (length === 0) return to;
  const share = Math.min(1, by / length);
  return [to[0] + (from[0] - to[0]) * share, to[1] + (from[1] - to[1]) * share];
}

function lengthOf(from, to) {
  return Math.hypot(to[0] - from[0], to[1] - from[1]);
}

function show([x, y]) {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}
