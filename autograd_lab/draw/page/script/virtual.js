/**
 * A list of many rows of one height, of which only those that are seen are in the document.
 *
 * Relies on `dom.js`.
 */

import { element, oncePerFrame } from "./dom.js";

const BEYOND = 8; // rows that are kept ready above and below what is seen

/**
 * Returns a scrolling list.
 *
 * @param {Object} options
 * @param {number} options.height Pixels of a row.
 * @param {function(number): HTMLElement} options.make Makes the row at an index.
 * @param {HTMLElement|null} options.head What stays above the rows when they scroll, and goes with them to the side.
 * @param {Object} options.attributes Of the scrolling element.
 * @returns {{element: HTMLElement, show: function(number): void, redraw: function(): void, reveal: function(number): void}}
 *   `show` says how many rows there are and draws them anew, `redraw` draws those anew that are seen, `reveal` scrolls
 *   as little as it takes to see one.
 */
export function createRows({ height, make, head = null, attributes = {} }) {
  const inside = element("div", { class: "rows-inside", role: "presentation" });
  const scroller = element("div", { class: "rows", ...attributes }, head, inside);
  const drawn = new Map();
  let count = 0;

  /** The height of what is seen of the rows. */
  const room = () => scroller.clientHeight - (head?.offsetHeight ?? 0);

  function draw() {
    const first = Math.max(0, Math.floor(scroller.scrollTop / height) - BEYOND);
    const last = Math.min(count, Math.ceil((scroller.scrollTop + room()) / height) + BEYOND);
    for (const [index, row] of drawn) {
      if (index >= first && index < last) continue;
      row.remove();
      drawn.delete(index);
    }
    const lowest = Math.min(...drawn.keys());
    const before = document.createDocumentFragment();
    for (let index = first; index < last; index += 1) {
      if (drawn.has(index)) continue;
      const row = make(index);
      row.style.top = `${index * height}px`;
      row.style.height = `${height}px`;
      drawn.set(index, row);
      (index < lowest ? before : inside).append(row);
    }
    inside.prepend(before);
  }

  function redraw() {
    for (const row of drawn.values()) row.remove();
    drawn.clear();
    draw();
  }

  scroller.addEventListener("scroll", oncePerFrame(draw), { passive: true });
  new ResizeObserver(oncePerFrame(draw)).observe(scroller);
  return {
    element: scroller,
    redraw,
    show(number) {
      count = number;
      inside.style.height = `${count * height}px`;
      redraw();
    },
    reveal(index) {
      const top = index * height;
      const lowest = top + height - room();
      if (top < scroller.scrollTop) scroller.scrollTop = top;
      else if (lowest > scroller.scrollTop) scroller.scrollTop = lowest;
      draw();
    },
  };
}
