/**
 * What cards are made of: sections, facts, gradients, histograms, code and links.
 *
 * Relies on `dom.js`, `digits.js` and `stats.js`. A part without content is null, and then isn't shown.
 */

import { count, number } from "./digits.js";
import { element, svg } from "./dom.js";
import { elementsOf } from "./stats.js";

/** Returns a section with a heading, or null where there's nothing in it. */
export function section(key, title, ...children) {
  const there = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  if (!there.length) return null;
  return element("section", { class: `card-section ${key}`, "data-section": key }, element("h3", {}, title), there);
}

/** Returns a list of facts from pairs of a name and what it is; pairs of null are left out. */
export function facts(pairs) {
  const there = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!there.length) return null;
  return element("dl", {}, there.map(([called, value]) => [element("dt", {}, called), element("dd", {}, value)]));
}

/** Returns text that may be a name of any script, kept apart from the text around it. */
export function name(text) {
  return element("bdi", { class: "name" }, text);
}

/** Returns text that says less than the text around it. */
export function quiet(...children) {
  return element("span", { class: "quiet" }, children);
}

/** Returns a list of rows, or null where there's none. */
export function list(rows) {
  return rows.length ? element("ul", { class: "list" }, rows) : null;
}

/** Returns a gradient's norm as it stands at the end of a row, or null where it isn't known. */
export function normOf(value) {
  return value === null ? null : element("span", { class: "norm" }, `‖g‖ ${shown(value)}`);
}

/** Returns a number's text. */
export function shown(value) {
  return typeof value === "number" ? number(value) : String(value);
}

/** Returns a link to a node. */
export function nodeLink(graph, node, choose) {
  const variable = graph.variableOf(node);
  return element("button", { type: "button", class: "link", onclick: () => choose(node), "data-node": node },
    element("bdi", {}, variable ?? graph.nameOf(node)), element("small", {}, ` #${node}`));
}

/** Returns a link to a box. */
export function boxLink(graph, box, choose) {
  return element("button", { type: "button", class: "link", onclick: () => choose(graph.boxItem(box)), "data-box": box },
    element("bdi", {}, graph.box(box).title));
}

/** Returns the boxes around an item, each a link. */
export function trail(graph, item, choose) {
  const path = graph.pathOf(item);
  if (!path.length) return null;
  return element("nav", { class: "trail" }, path.flatMap((box, at) => [at ? " › " : null, boxLink(graph, box, choose)]));
}

/**
 * Returns a gradient in its numbers.
 *
 * @param {Object|null} stats
 * @param {Object} how `{t, title, histogram}`: what stands before the numbers, and the histogram, if one was kept.
 */
export function gradient(stats, { t, title = null, histogram = null }) {
  const meta = stats?.meta ? element("code", {}, stats.meta) : null;
  const heading = element("p", { class: "gradient-title" }, title, title && meta ? " " : null, meta);
  const block = (...children) => element("div", { class: "gradient" }, heading, children);
  const none = (text) => element("p", { class: "quiet" }, text);
  if (!stats) return block(none(t("no numbers")));
  if (stats.unmeasured !== null) return block(none(t("unmeasured", { reason: stats.unmeasured })));
  const all = elementsOf(stats.meta);
  const ofAll = (some) => (all === null ? count(some) : t("some of all", { some: count(some), all: count(all) }));
  return block(facts([
    [t("norm"), stats.norm === null ? null : wildly(stats.norm)],
    [t("largest"), stats.max_abs === null ? null : wildly(stats.max_abs)],
    [t("mean"), stats.mean === null ? null : wildly(stats.mean)],
    [t("zeros"), stats.zeros === null ? null : ofAll(stats.zeros)],
    ["NaN", stats.nans ? element("strong", { class: "wild" }, ofAll(stats.nans)) : null],
    ["∞", stats.infs ? element("strong", { class: "wild" }, ofAll(stats.infs)) : null],
  ]) ?? none(t("no numbers")), histogram && histogramOf(histogram, t));
}

function wildly(value) {
  const isWild = typeof value === "number" && !Number.isFinite(value);
  return isWild ? element("strong", { class: "wild" }, shown(value)) : shown(value);
}

const BARS = Object.freeze({ width: 280, height: 54 });

/** Returns the histogram of a gradient's elements. */
export function histogramOf({ low, high, counts, nans, infs }, t) {
  const most = Math.max(1, ...counts);
  const wide = BARS.width / counts.length;
  const all = counts.reduce((sum, one) => sum + one, 0);
  const label = t("histogram of", { count: count(all), low: shown(low), high: shown(high) });
  const edge = (at) => shown(low + ((high - low) * at) / counts.length);
  const bars = counts.map((value, at) => {
    const high_ = (value / most) * (BARS.height - 2);
    return svg("rect", { class: "bar", x: at * wide + 0.5, width: wide - 1, y: BARS.height - high_, height: high_ },
      svg("title", {}, `${edge(at)} … ${edge(at + 1)}: ${count(value)}`));
  });
  const others = [nans ? `NaN ${count(nans)}` : null, infs ? `∞ ${count(infs)}` : null].filter(Boolean).join(", ");
  const box = { viewBox: `0 0 ${BARS.width} ${BARS.height}`, preserveAspectRatio: "none" };
  const span = (text, attributes = {}) => element("span", attributes, text);
  return element("figure", { class: "histogram" },
    svg("svg", { ...box, role: "img", "aria-label": label }, bars),
    element("figcaption", {}, span(shown(low)), span(others, { class: "wild" }), span(shown(high))));
}

/** Returns the code around a line, that line marked; null where the file wasn't there to read. */
export function codeOf(source, t) {
  if (!source) return null;
  const indents = source.lines.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length);
  const margin = Math.min(...indents);
  const width = String(source.first + source.lines.length - 1).length;
  const rows = source.lines.map((line, at) => {
    const number_ = source.first + at;
    const isHere = number_ === source.line;
    return element("span", { class: `code-line${isHere ? " here" : ""}`, "aria-current": isHere ? "true" : null },
      element("span", { class: "code-number" }, `${isHere ? "▸" : " "}${String(number_).padStart(width)} `),
      `${line.slice(margin)}\n`);
  });
  return element("pre", { class: "code", tabindex: "0", "aria-label": t("code around") }, element("code", {}, rows));
}

/** Returns a place in the user's code. */
export function place(file, line, called = null) {
  if (file === null) return null;
  const short = file.slice(Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1);
  return element("span", { title: file }, name(`${short}:${line}`), called ? [" ", name(called)] : null);
}
