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
  return there.length ? element("section", { class: `card-section ${key}`, "data-section": key }, element("h3", {}, title), there) : null;
}

/** Returns a list of facts from pairs of a name and what it is; pairs of null are left out. */
export function facts(pairs) {
  const there = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return there.length ? element("dl", {}, there.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])) : null;
}

/** Returns text that may be a name of any script, kept apart from the text around it. */
export function name(text) {
  return element("bdi", { class: "name" }, text);
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
  const heading = element("p", { class: "gradient-title" }, title, title && stats?.meta ? " " : null, stats?.meta && element("code", {}, stats.meta));
  if (!stats) return element("div", { class: "gradient" }, heading, element("p", { class: "quiet" }, t("no numbers")));
  if (stats.unmeasured !== null) {
    return element("div", { class: "gradient" }, heading, element("p", { class: "quiet" }, t("unmeasured", { reason: stats.unmeasured })));
  }
  const all = elementsOf(stats.meta);
  const ofAll = (some) => (all === null ? count(some) : t("some of all", { some: count(some), all: count(all) }));
  return element("div", { class: "gradient" }, heading, facts([
    [t("norm"), stats.norm === null ? null : wildly(stats.norm)],
    [t("largest"), stats.max_abs === null ? null : wildly(stats.max_abs)],
    [t("mean"), stats.mean === null ? null : wildly(stats.mean)],
    [t("zeros"), stats.zeros === null ? null : ofAll(stats.zeros)],
    ["NaN", stats.nans ? element("strong", { class: "wild" }, ofAll(stats.nans)) : null],
    ["∞", stats.infs ? element("strong", { class: "wild" }, ofAll(stats.infs)) : null],
  ]) ?? element("p", { class: "quiet" }, t("no numbers")), histogram && histogramOf(histogram, t));
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
  const label = t("histogram of", { count: count(counts.reduce((sum, one) => sum + one, 0)), low: shown(low), high: shown(high) });
  const bars = counts.map((value, at) => {
    const high_ = (value / most) * (BARS.height - 2);
    return svg("rect", { class: "bar", x: at * wide + 0.5, width: wide - 1, y: BARS.height - high_, height: high_ },
      svg("title", {}, `${shown(low + ((high - low) * at) / counts.length)} … ${shown(low + ((high - low) * (at + 1)) / counts.length)}: ${count(value)}`));
  });
  const others = [nans ? `NaN ${count(nans)}` : null, infs ? `∞ ${count(infs)}` : null].filter(Boolean).join(", ");
  return element("figure", { class: "histogram" },
    svg("svg", { viewBox: `0 0 ${BARS.width} ${BARS.height}`, role: "img", "aria-label": label, preserveAspectRatio: "none" }, bars),
    element("figcaption", {}, element("span", {}, shown(low)), element("span", { class: "wild" }, others), element("span", {}, shown(high))));
}

/** Returns the code around a line, that line marked; null where the file wasn't there to read. */
export function codeOf(source, t) {
  if (!source) return null;
  const margin = Math.min(...source.lines.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length));
  const width = String(source.first + source.lines.length - 1).length;
  return element("pre", { class: "code", tabindex: "0", "aria-label": t("code around") }, element("code", {}, source.lines.map((line, at) => {
    const number_ = source.first + at;
    const isHere = number_ === source.line;
    return element("span", { class: `code-line${isHere ? " here" : ""}`, "aria-current": isHere ? "true" : null },
      element("span", { class: "code-number" }, `${isHere ? "▸" : " "}${String(number_).padStart(width)} `), `${line.slice(margin)}\n`);
  })));
}

/** Returns a place in the user's code. */
export function place(file, line, called = null) {
  if (file === null) return null;
  const short = file.slice(Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1);
  return element("span", { title: file }, name(`${short}:${line}`), called ? [" ", name(called)] : null);
}
