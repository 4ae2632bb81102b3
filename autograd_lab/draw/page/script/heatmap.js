/**
 * A map of layers and backwards on a canvas: a cell's colour is a norm on a logarithmic scale, and what has no place on
 * the scale is a sign. However large the map is, the canvas is only as large as what is seen of it.
 *
 * Relies on `dom.js` and `norms.js`.
 */

import { element, oncePerFrame } from "./dom.js";
import { wordFor } from "./norms.js";

const ROW = 20;
const HEAD = 22; // above the cells, for the backwards' numbers
const NARROWEST = 9;
const WIDEST = 34;
const WIDEST_NAME = 0.34; // of the whole
export const SHADES = 12;

/**
 * Returns a map.
 *
 * @param {Object} options
 * @param {string} options.label
 * @param {function({row: number, column: number}|null): void} options.onHover
 * @param {function({row: number, column: number}): void} options.onPick
 * @returns {{element: HTMLElement, show: function(Object): void, repaint: function(): void}} `show` takes
 *   `{names, numbers, cells, shade, here}`: rows' names, columns' numbers, for each row its norms, what gives a norm's
 *   shade, and the cell that is marked.
 */
export function createHeatmap({ label, onHover, onPick }) {
  const canvas = element("canvas", { class: "heat-canvas", "aria-hidden": "true" });
  const space = element("div", { class: "heat-space" }, canvas);
  const scroller = element("div", {
    class: "heat", tabindex: "0", role: "application", "aria-label": label,
    onpointermove: (event) => onHover(cellAt(event)),
    onpointerleave: () => onHover(null),
    onclick: (event) => { const cell = cellAt(event); if (cell) pick(cell); },
    onkeydown: keys,
  }, space);
  let map = null;
  let shape = { left: 0, width: NARROWEST };
  let cursor = { row: 0, column: 0 };
  let colours = null;

  function show(shown) {
    map = shown;
    draw();
  }

  function measure(pen) {
    pen.font = fontOf(scroller);
    const longest = map.names.reduce((most, name) => Math.max(most, pen.measureText(name).width), 0);
    const left = Math.min(longest + 14, scroller.clientWidth * WIDEST_NAME);
    const room = scroller.clientWidth - left - 4;
    const width = Math.max(NARROWEST, Math.min(WIDEST, room / map.numbers.length));
    shape = { left, width };
    space.style.width = `${left + width * map.numbers.length}px`;
    space.style.height = `${HEAD + ROW * map.names.length}px`;
  }

  const draw = oncePerFrame(() => {
    if (!map || !scroller.clientWidth) return;
    const pen = canvas.getContext("2d");
    measure(pen);
    const [width, height, ratio] = [scroller.clientWidth, scroller.clientHeight, window.devicePixelRatio || 1];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    pen.scale(ratio, ratio);
    colours ??= coloursOf(scroller);
    drawCells(pen, width, height);
    drawHead(pen, width);
    drawNames(pen, height);
  });

  /** Draws everything anew in other colours. */
  function repaint() {
    colours = null;
    draw();
  }

  const across = (column) => shape.left + column * shape.width - scroller.scrollLeft;
  const down = (row) => HEAD + row * ROW - scroller.scrollTop;

  function seen(width, height) {
    const first = Math.max(0, Math.floor(scroller.scrollLeft / shape.width));
    const top = Math.max(0, Math.floor(scroller.scrollTop / ROW));
    return {
      first, last: Math.min(map.numbers.length, first + Math.ceil(width / shape.width) + 1),
      top, bottom: Math.min(map.names.length, top + Math.ceil(height / ROW) + 1),
    };
  }

  function drawCells(pen, width, height) {
    const { first, last, top, bottom } = seen(width, height);
    for (let row = top; row < bottom; row += 1) {
      for (let column = first; column < last; column += 1) {
        const norm = map.cells[row][column];
        const word = wordFor(norm);
        const [x, y] = [across(column), down(row)];
        if (word) drawSign(pen, word, x, y);
        else {
          pen.fillStyle = colours.shades[map.shade(norm)];
          pen.fillRect(x, y, shape.width - 0.5, ROW - 1);
        }
      }
    }
    if (map.here.row >= 0) outline(pen, map.here, colours.ink);
    if (document.activeElement === scroller) outline(pen, cursor, colours.accent);
  }

  function outline(pen, { row, column }, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.strokeRect(across(column) + 0.5, down(row) + 0.5, shape.width - 1.5, ROW - 2);
  }

  /** Signs are drawn, so that they're clear in a narrow cell too: × not finite, ○ zero, – no gradient, ? not measured. */
  function drawSign(pen, word, x, y) {
    const [middle, centre, size] = [x + (shape.width - 0.5) / 2, y + (ROW - 1) / 2, Math.min(4, shape.width / 2 - 1.5)];
    pen.fillStyle = colours.raised;
    pen.fillRect(x, y, shape.width - 0.5, ROW - 1);
    const wild = word === "NaN" || word === "infinite";
    pen.strokeStyle = wild ? colours.wild : colours.quiet;
    pen.fillStyle = pen.strokeStyle;
    pen.lineWidth = wild ? 2 : 1.3;
    pen.beginPath();
    if (wild) {
      pen.moveTo(middle - size, centre - size);
      pen.lineTo(middle + size, centre + size);
      pen.moveTo(middle - size, centre + size);
      pen.lineTo(middle + size, centre - size);
      if (word === "infinite") {
        pen.moveTo(middle - size, centre);
        pen.lineTo(middle + size, centre);
      }
    } else if (word === "zero") pen.arc(middle, centre, size, 0, 2 * Math.PI);
    else if (word === "no gradient") {
      pen.moveTo(middle - size, centre);
      pen.lineTo(middle + size, centre);
    } else {
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText("?", middle, centre);
    }
    pen.stroke();
  }

  function drawHead(pen, width) {
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, width, HEAD);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const widest = pen.measureText(String(map.numbers[map.numbers.length - 1])).width + 10;
    const every = Math.max(1, Math.ceil(widest / shape.width));
    const shown = map.here.column;
    for (let column = 0; column < map.numbers.length; column += 1) {
      const isHere = column === shown;
      if (!isHere && (column % every !== 0 || Math.abs(column - shown) < every)) continue;
      pen.fillStyle = isHere ? colours.ink : colours.quiet;
      pen.fillText(String(map.numbers[column]), across(column) + shape.width / 2, HEAD / 2 - 1);
      if (isHere) pen.fillRect(across(column), HEAD - 3, shape.width - 0.5, 2);
    }
  }

  function drawNames(pen, height) {
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, shape.left, height);
    pen.fillStyle = colours.ink;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.save();
    pen.beginPath();
    pen.rect(0, HEAD, shape.left, height - HEAD);
    pen.clip();
    const { top, bottom } = seen(0, height);
    for (let row = top; row < bottom; row += 1) {
      pen.fillText(cutTo(pen, map.names[row], shape.left - 12), shape.left - 7, down(row) + ROW / 2);
    }
    pen.restore();
  }

  function cellAt(event) {
    const box = scroller.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - shape.left + scroller.scrollLeft) / shape.width);
    const row = Math.floor((event.clientY - box.top - HEAD + scroller.scrollTop) / ROW);
    const inside = map && row >= 0 && row < map.names.length && column >= 0 && column < map.numbers.length;
    return inside && event.clientX - box.left >= shape.left ? { row, column } : null;
  }

  function pick(cell) {
    cursor = cell;
    onPick(cell);
    draw();
  }

  /** Arrows move from cell to cell, Enter picks one. */
  function keys(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!map || (!move && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    if (!move) {
      pick(cursor);
      return;
    }
    cursor = {
      row: Math.max(0, Math.min(map.names.length - 1, cursor.row + move[0])),
      column: Math.max(0, Math.min(map.numbers.length - 1, cursor.column + move[1])),
    };
    reveal(cursor);
    onHover(cursor);
    draw();
  }

  function reveal({ row, column }) {
    const [x, y] = [column * shape.width, row * ROW];
    const [wide, high] = [scroller.clientWidth - shape.left - shape.width, scroller.clientHeight - HEAD - ROW];
    scroller.scrollLeft = Math.min(x, Math.max(scroller.scrollLeft, x - wide));
    scroller.scrollTop = Math.min(y, Math.max(scroller.scrollTop, y - high));
  }

  for (const event of ["scroll", "focus", "blur"]) scroller.addEventListener(event, draw, { passive: true });
  new ResizeObserver(draw).observe(scroller);
  return { element: scroller, show, repaint };
}

/** The style's colours as a canvas takes them: a variable may stand for one that depends on the theme. */
function coloursOf(host) {
  const probe = element("span");
  host.append(probe);
  const style = getComputedStyle(probe);
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    return style.color;
  };
  const shades = Array.from({ length: SHADES }, (_, shade) => of(`map-${shade}`));
  const others = Object.fromEntries(["paper", "ink", "quiet", "raised", "wild", "accent"].map((name) => [name, of(name)]));
  probe.remove();
  return { shades, ...others };
}

function fontOf(host) {
  return `12px ${getComputedStyle(host).fontFamily}`;
}

/** The end of a name says more than its beginning. */
function cutTo(pen, name, width) {
  if (pen.measureText(name).width <= width) return name;
  let shown = name;
  while (shown.length > 1 && pen.measureText(`…${shown}`).width > width) shown = shown.slice(1);
  return `…${shown}`;
}
