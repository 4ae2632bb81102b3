/**
 * A layout, flattened: everything that is seen, in one list each, measured from the drawing's upper left corner.
 *
 * Relies on nothing.
 */

/**
 * Returns what is seen, outer boxes first.
 *
 * @param {Object} layout Of the top box.
 * @returns {{width: number, height: number, frames: Object[], items: Object[], wires: Object[]}} `frames` are open
 * boxes,
 *   `items` nodes, roots and closed boxes: `{item, x, y, width, height}`; a wire's `points` are moved.
 */
export function flatten(layout) {
  const [frames, items, wires] = [[], [], []];
  const waiting = [{ layout, x: 0, y: 0, depth: 0 }];
  for (let at = 0; at < waiting.length; at++) {
    const { layout: level, x, y, depth } = waiting[at];
    for (const { points, ...wire } of level.wires) {
      wires.push({ ...wire, points: points.map(([left, top]) => [left + x, top + y]) });
    }
    for (const { inner, ...placed } of level.items) {
      const found = { ...placed, x: placed.x + x, y: placed.y + y, depth };
      (inner ? frames : items).push(found);
      if (inner) waiting.push({ layout: inner, x: found.x, y: found.y, depth: depth + 1 });
    }
  }
  return { width: layout.width, height: layout.height, frames, items, wires };
}
