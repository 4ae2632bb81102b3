/**
 * The drawing as it's seen, as an SVG file that needs nothing else.
 *
 * Relies on `dom.js`.
 */

import { svg } from "./dom.js";

const MARGIN = 16;
const OF_THE_PAGE = ["style", "tabindex", "data-key", "role", "aria-expanded", "aria-pressed"]; // attributes

/**
 * Returns the text of an SVG of what is drawn, in the colours of the page at the moment.
 *
 * @param {Object} scene
 */
export function asSvg(scene) {
  const { flat } = scene;
  const [width, height] = [Math.ceil(flat.width + 2 * MARGIN), Math.ceil(flat.height + 2 * MARGIN)];
  const copy = scene.svg.cloneNode(true);
  const world = copy.querySelector(".world");
  world.removeAttribute("style");
  world.setAttribute("transform", `translate(${MARGIN} ${MARGIN})`);
  for (const part of copy.querySelectorAll("[data-key]")) {
    const [, x, y] = /translate\((-?[\d.e-]+)px(?:, (-?[\d.e-]+)px)?\)/.exec(part.style.transform);
    part.setAttribute("transform", `translate(${x} ${y ?? 0})`);
    for (const name of OF_THE_PAGE) part.removeAttribute(name);
  }
  copy.querySelectorAll(".reach, .sign title").forEach((part) => part.remove());
  copy.classList.remove("trailing", "moving", "dragged");
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, role: "img" })) {
    copy.setAttribute(name, value);
  }
  copy.removeAttribute("tabindex");
  copy.prepend(svg("style", {}, styles(isDark())), svg("rect", { class: "paper", width, height }));
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}\n`;
}

/** Whether the page is dark at the moment. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The rules for drawings, with the theme's colours put in: other programs know no `var()` and no `light-dark()`. */
function styles(dark) {
  const root = getComputedStyle(document.documentElement);
  const colour = (text) => text
    .replace(/var\((--[\w-]+)\)/g, (_, name) => colour(root.getPropertyValue(name).trim()))
    .replace(/light-dark\(\s*([^,]+?)\s*,\s*([^)]+?)\s*\)/g, dark ? "$2" : "$1");
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  const texts = rules.filter((rule) => rule.selectorText?.startsWith(".drawing")).map((rule) => colour(rule.cssText));
  return texts.join("\n");
}

/** Hands a text to the reader as a file. */
export function download(text, name, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
