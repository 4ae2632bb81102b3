/**
 * The legend as it stands on the page, drawn again as SVG: its swatches and texts where the browser has put them.
 *
 * Relies on `dom.js`.
 */

import { svg } from "./dom.js";

/**
 * Returns `{group, width, height}`: the legend unfolded, its upper left corner at 0, 0.
 *
 * @param {Element} legend
 */
export function legendAsSvg(legend) {
  const body = legend.querySelector(".legend-body");
  const wasFolded = body.hidden;
  body.hidden = false;
  legend.classList.add("exported"); // on one line what is on one line: no page's width counts here
  const frame = legend.getBoundingClientRect();
  const parts = [
    ...[...legend.querySelectorAll(".swatch, .step")].map((found) => swatch(found, frame)),
    ...texts(legend, frame),
  ];
  legend.classList.remove("exported");
  body.hidden = wasFolded;
  return { group: svg("g", { class: "legend" }, parts), width: frame.width, height: frame.height };
}

function swatch(found, frame) {
  const { left, top, width, height } = found.getBoundingClientRect();
  const look = getComputedStyle(found);
  const line = parseFloat(look.borderTopWidth);
  return svg("rect", {
    x: left - frame.left + line / 2, y: top - frame.top + line / 2, width: width - line, height: height - line,
    rx: parseFloat(look.borderTopLeftRadius), fill: look.backgroundColor, stroke: look.borderTopColor, "stroke-width": line,
    "stroke-dasharray": { dashed: "3 2", dotted: "1 2" }[look.borderTopStyle] ?? null,
  });
}

function texts(legend, frame) {
  const walker = document.createTreeWalker(legend, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const { left, top, height } = range.getBoundingClientRect();
    const { fontSize, fontWeight } = getComputedStyle(walker.currentNode.parentElement);
    found.push(svg("text", {
      x: left - frame.left, y: top - frame.top + height * 0.78, "font-size": fontSize, "font-weight": fontWeight,
    }, walker.currentNode.textContent));
  }
  return found;
}
