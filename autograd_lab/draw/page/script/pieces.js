/**
 * The pieces of the drawing: a box, the frame of an open one, an arrow.
 *
 * Relies on `dom.js`, `looks.js` and `paths.js`. No kind of box is told by colour alone: leaves have square corners
 * and a thicker outline, Python Functions a double side, compiled nodes and blocks that repeat a second outline.
 */

import { change, svg } from "./dom.js";
import { HEADER } from "./layout.js";
import { LINES, SIGN } from "./looks.js";
import { headPath, linePath } from "./paths.js";

const SQUARE = new Set(["accumulate", "compiled"]);

/** Returns the element of a node, a root or a closed box. */
export function drawItem(look, key, t, { width, height }) {
  const corner = look.kind === "root" ? height / 2 : SQUARE.has(look.kind) ? 1 : 7;
  const body = svg("rect", { class: "body", width, height, rx: corner });
  const middle = width / 2;
  const left = look.sign ? SIGN.inset + SIGN.size + 6 : null;
  const first = look.kind === "root" ? height / 2 + 4 : LINES[0];
  const texts = [
    svg("text", { class: "title", x: left ?? middle, y: first, "text-anchor": left === null ? "middle" : "start" },
      look.title),
    look.line && svg("text", { class: "line", x: middle, y: LINES[1], "text-anchor": "middle" }, look.line),
    look.kind !== "root" && svg("text", { class: "value", x: middle, y: LINES[look.line ? 2 : 1], "text-anchor": "middle" }),
  ];
  return svg("g", {
    class: `item kind-${look.kind}`, "data-key": key, role: "button", tabindex: "-1", "aria-label": labelOf(look),
    "aria-expanded": look.sign ? "false" : null,
  }, extras(look, width, height), body, texts, look.sign && signOf(false, t), markOf(width));
}

/** Lines besides the outline that tell the kind. */
function extras(look, width, height) {
  if (look.kind === "repeats") {
    return [6, 3].map((by) => svg("rect", { class: "behind", x: by, y: by, width, height, rx: 7 }));
  }
  const behind = (attributes) => svg("rect", { class: "behind", rx: 1, ...attributes });
  if (look.kind === "compiled") return behind({ x: -3, y: -3, width: width + 6, height: height + 6 });
  if (look.kind === "function") return behind({ x: -4, y: 6, width: 10, height: height - 12 });
  return null;
}

/** The place for the sign of a node's part in a backward that is played. */
function markOf(width) {
  return svg("text", { class: "mark", x: width - 4, y: -4, "text-anchor": "end", "aria-hidden": "true" });
}

/** Returns the element of an open box. */
export function drawFrame(look, key, t) {
  const left = SIGN.inset + SIGN.size + 6;
  return svg("g", {
    class: `frame kind-${look.kind}`, "data-key": key, role: "button", tabindex: "-1", "aria-label": labelOf(look),
    "aria-expanded": "true",
  },
  svg("rect", { class: "ground", rx: 7 }),
  svg("path", { class: "header" }),
  svg("text", { class: "title", x: left, y: 17 }, look.title, svg("tspan", { class: "line", dx: 10 }, look.line)),
  signOf(true, t));
}

function labelOf(look) {
  return [look.title, look.line].filter(Boolean).join(", ");
}

function signOf(isOpen, t) {
  const { size, inset } = SIGN;
  const [middle, reach] = [inset + size / 2, size / 2 - 3.5];
  const bar = `M${middle - reach} ${middle}h${2 * reach}`;
  return svg("g", { class: "sign" },
    svg("title", {}, t(isOpen ? "close box" : "open box")),
    svg("rect", { class: "reach", x: -2, y: -2, width: size + 2 * inset + 2, height: size + 2 * inset }),
    svg("rect", { x: inset, y: inset, width: size, height: size, rx: 3 }),
    svg("path", { d: isOpen ? bar : `${bar}M${middle} ${middle - reach}v${2 * reach}` }));
}

/** Puts an item in its place. */
export function moveItem(found, { x, y, width, height }) {
  found.style.transform = `translate(${round(x)}px, ${round(y)}px)`;
  change(found.querySelector(".body"), { width, height });
}

/** Puts a frame in its place, with the size of what it holds. */
export function moveFrame(found, { x, y, width, height, depth }) {
  found.style.transform = `translate(${round(x)}px, ${round(y)}px)`;
  found.classList.toggle("odd", depth % 2 === 1);
  const [ground, header] = [found.querySelector(".ground"), found.querySelector(".header")];
  change(ground, { width: round(width), height: round(height) });
  change(header, { d: `M0 ${HEADER}V7a7 7 0 0 1 7 -7H${round(width) - 7}a7 7 0 0 1 7 7V${HEADER}Z` });
}

/**
 * Returns the element of an arrow: its line, its head where it ends at what it leads to, its name and how many it
 * counts.
 */
export function drawWire(graph, wire) {
  const isCounted = wire.edges.length > 1;
  const isNamed = wire.edges.some(graph.isNamed);
  return svg("g", { class: `wire${isCounted ? " counted" : ""}${isNamed ? " named" : ""}` },
    svg("path", { class: "way" }),
    svg("path", { class: "head" }),
    svg("text", { class: "tag" }));
}

/** Puts an arrow in its place. */
export function moveWire(found, { points, isEnd, tag: text }) {
  const way = linePath(points, isEnd);
  const [line, head, tag] = [found.querySelector(".way"), found.querySelector(".head"), found.querySelector(".tag")];
  if (line.getAttribute("d") === way && tag.textContent === (text ?? "")) return;
  change(line, { d: way });
  change(head, { d: isEnd ? headPath(points) : null });
  const [x, y] = points.at(-1);
  tag.textContent = text ?? "";
  change(tag, { x: round(x) + 6, y: round(y) - 6 });
}

function round(number) {
  return Math.round(number * 10) / 10;
}
