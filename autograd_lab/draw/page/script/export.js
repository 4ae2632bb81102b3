/**
 * The whole drawing with its legend, as an SVG file that needs nothing else.
 *
 * Relies on `dom.js` and `export_legend.js`.
 */

import { svg } from "./dom.js";
import { legendAsSvg } from "./export_legend.js";

const MARGIN = 16;
const OF_THE_PAGE = ["style", "tabindex", "data-key", "role", "aria-expanded", "aria-pressed"]; // attributes

/**
 * Returns the text of an SVG of what is drawn, in the colours of the page at the moment.
 *
 * @param {Object} scene
 * @param {Element} legend
 * @param {string} label What the picture is called for those who don't see it.
 */
export function asSvg(scene, legend, label) {
  const { flat } = scene;
  const below = legendAsSvg(legend);
  const width = Math.ceil(Math.max(flat.width, below.width) + 2 * MARGIN);
  const height = Math.ceil(flat.height + below.height + 3 * MARGIN);
  below.group.setAttribute("transform", `translate(${MARGIN} ${Math.ceil(flat.height) + 2 * MARGIN})`);
  const copy = scene.svg.cloneNode(true);
  const world = copy.querySelector(".world");
  world.removeAttribute("style");
  world.setAttribute("transform", `translate(${Math.round((width - flat.width) / 2)} ${MARGIN})`);
  for (const part of copy.querySelectorAll("[data-key]")) {
    const [, x, y] = /translate\((-?[\d.e-]+)px(?:, (-?[\d.e-]+)px)?\)/.exec(part.style.transform);
    part.setAttribute("transform", `translate(${x} ${y ?? 0})`);
    for (const name of OF_THE_PAGE) part.removeAttribute(name);
  }
  copy.querySelectorAll(".reach, .sign title").forEach((part) => part.remove());
  copy.classList.remove("trailing", "moving", "dragged");
  const named = { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label };
  for (const [name, value] of Object.entries(named)) copy.setAttribute(name, value);
  copy.removeAttribute("tabindex");
  copy.prepend(svg("style", {}, styles(isDark())), svg("rect", { class: "paper", width, height }));
  copy.append(below.group);
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
