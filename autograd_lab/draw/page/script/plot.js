/**
 * A plot's frame: axes with numbers beside them, and what happens where the pointer is.
 *
 * Relies on `dom.js`.
 */

import { svg } from "./dom.js";

const MARGIN = { left: 66, right: 18, top: 12, bottom: 34 };

/**
 * Returns an empty plot over whole numbers.
 *
 * @param {Object} options
 * @param {number} options.width
 * @param {number} options.height
 * @param {Object} options.x From `countAxis`.
 * @param {Object} options.y From `linearAxis` or `logAxis`.
 * @param {string} options.xLabel
 * @param {string} options.label What a screen reader calls it.
 * @param {function(number|null): void} options.onHover Gets the whole number under the pointer.
 * @param {function(number): void} options.onPick Gets the one that was clicked.
 * @returns {{element: SVGElement, layer: SVGElement, labels: SVGElement, at: function(number, number): {x: number, y: number}, right: number,
 *   mark: function(string, number|null): void}} `layer` is where what is plotted goes, `labels` what is
 *   written over all lines, `mark` moves a line of a class.
 */
export function plot({ width, height, x, y, xLabel, label, onHover, onPick }) {
  const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
  const at = (across, up) => ({
    x: left + x.at(across) * (right - left),
    y: bottom - y.at(up) * (bottom - top),
  });
  const layer = svg("g");
  const marks = svg("g");
  const labels = svg("g", { class: "plot-labels" });
  const grid = y.ticks.map((tick) => {
    const height_ = bottom - tick.at * (bottom - top);
    return svg("g", {},
      svg("line", { class: "plot-grid", x1: left, x2: right, y1: height_, y2: height_ }),
      svg("text", { class: "plot-tick", x: left - 8, y: height_ + 4, "text-anchor": "end" }, tick.text));
  });
  const below = x.ticks.map((tick) => {
    const place = left + tick.at * (right - left);
    return svg("g", {},
      svg("line", { class: "plot-axis", x1: place, x2: place, y1: bottom, y2: bottom + 4 }),
      svg("text", { class: "plot-tick", x: place, y: bottom + 16, "text-anchor": "middle" }, tick.text));
  });
  const whole = (event) => {
    const box = area.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    return Math.round(Math.max(0, Math.min(1, share)) * x.to);
  };
  const area = svg("rect", {
    class: "plot-area", x: left, y: top, width: right - left, height: bottom - top,
    onpointermove: (event) => onHover(whole(event)),
    onpointerleave: () => onHover(null),
    onclick: (event) => onPick(whole(event)),
  });
  const drawn = svg("svg", { class: "plot", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    grid, layer,
    svg("line", { class: "plot-axis", x1: left, x2: right, y1: bottom, y2: bottom }), below,
    svg("text", { class: "plot-label", x: (left + right) / 2, y: height - 4, "text-anchor": "middle" }, xLabel),
    marks, labels, area);
  const lines = new Map();

  function mark(kind, across) {
    lines.get(kind)?.remove();
    if (across === null) return;
    const place = at(across, 0).x;
    const line = svg("line", { class: `plot-mark ${kind}`, x1: place, x2: place, y1: top, y2: bottom });
    lines.set(kind, line);
    marks.append(line);
  }

  return { element: drawn, layer, labels, at, right, mark };
}
