/**
 * What stands in each box of the drawing, and how large that makes it.
 *
 * Relies on `digits.js`.
 */

import { count, number } from "./digits.js";

/** The fonts of the drawing; `drawing.css` says the same. */
export const FONTS = Object.freeze({
  title: '600 12px system-ui, "DejaVu Sans", "Noto Sans CJK TC", sans-serif',
  line: '11px system-ui, "DejaVu Sans", "Noto Sans CJK TC", sans-serif',
});

/** Where the lines of an item's text stand, from its upper side. */
export const LINES = Object.freeze([17, 32, 46]);

/** The side of the square with a + or − sign, and how far it stands from the corner. */
export const SIGN = Object.freeze({ size: 14, inset: 6 });

const PAD = 11;
const LEAST = 84;
const LEAST_OF_SPREAD = 158; // of a box in which two norms stand
const LONGEST = 40; // characters

/**
 * Returns a function from an item to what is written in it: `{title, line, kind, sign}`.
 *
 * @param {Object} graph
 * @param {function(string, Object=): string} t
 * @param {function(number): (string|null)} text
 */
export function createLooks(graph, t, text) {
  const scalar = graph.columns.scalar ? scalarTexts(graph, text) : null;
  return function lookOf(item) {
    if (graph.isRoot(item)) {
      return { title: graph.rootName(graph.rootOf(item)) ?? t("output"), line: null, kind: "root", sign: false };
    }
    return graph.isNode(item) ? ofNode(graph, item, scalar) : ofBox(graph, graph.boxOf(item), t);
  };
}

function ofNode(graph, id, scalar) {
  const kind = graph.kindOf(id);
  if (scalar) return { ...scalar(id), kind, sign: false };
  const leaf = kind === "accumulate" ? leafTitle(graph, id) : null;
  return { title: leaf ?? shortened(graph.nameOf(id)), line: metasLine(graph.metasOf(id)), kind, sign: false };
}

/** A leaf's name; inside its module's box the last part is enough. */
function leafTitle(graph, id) {
  const name = graph.variableOf(id);
  if (name === null) return null;
  const isAtHome = graph.box(graph.parentOf(id)).kind === "module";
  return shortened(isAtHome ? name.slice(name.lastIndexOf(".") + 1) : name);
}

function metasLine(metas) {
  if (!metas.length) return null;
  const more = metas.length > 1 ? ` + ${metas.length - 1}` : "";
  return shortened(metas[0]) + more;
}

/** In a computation on single numbers a node shows what it made: "ŷ = 0". */
function scalarTexts(graph, text) {
  const { name, value } = graph.columns.scalar;
  return (id) => {
    const called = text(name[id]);
    const shown = typeof value[id] === "number" ? number(value[id]) : value[id];
    const made = shown === null || called === null ? called : `${called} = ${shown}`;
    const isLeaf = graph.kindOf(id) === "accumulate";
    return isLeaf ? { title: called ?? graph.nameOf(id), line: made } : { title: graph.nameOf(id), line: made };
  };
}

function ofBox(graph, index, t) {
  const box = graph.box(index);
  const times = box.times > 1 && box.kind === "repeats" ? ` × ${box.times}` : "";
  const nodes = t("nodes", { count: count(box.count) });
  return {
    title: shortened(box.title) + times,
    line: [box.class && shortened(box.class), nodes].filter(Boolean).join(" · "),
    kind: box.kind,
    sign: true,
  };
}

/** Leaves out the middle of a long name. */
export function shortened(name, longest = LONGEST) {
  const signs = [...name];
  if (signs.length <= longest) return name;
  const kept = longest - 1;
  return `${signs.slice(0, Math.ceil(kept * 0.4)).join("")}…${signs.slice(-Math.floor(kept * 0.6)).join("")}`;
}

/**
 * Returns a function from an item, and whether it's open, to its size.
 *
 * @param {function(number): Object} lookOf
 * @param {boolean} hasValues Whether a line with a number stands in each.
 * @param {function(string, string): number} widthOf From a text and a font to its width.
 */
export function createMeasure(lookOf, hasValues, widthOf) {
  return (item, isOpen) => {
    const { title, line, kind, sign } = lookOf(item);
    const mark = sign ? SIGN.size + 6 : 0;
    if (isOpen) {
      const beside = line ? 10 + widthOf(line, FONTS.line) : 0;
      return { width: Math.ceil(widthOf(title, FONTS.title) + beside + mark + 2 * PAD), height: 0 };
    }
    if (kind === "root") return { width: Math.ceil(Math.max(44, widthOf(title, FONTS.title) + 2 * PAD)), height: 24 };
    const texts = Math.max(widthOf(title, FONTS.title) + mark, line ? widthOf(line, FONTS.line) : 0, kind === "repeats" && hasValues ? LEAST_OF_SPREAD : LEAST);
    const lines = 1 + (line ? 1 : 0) + (hasValues ? 1 : 0);
    return { width: Math.ceil(texts + 2 * PAD), height: LINES[lines - 1] + 9 };
  };
}

/** Returns a function from a text and a font to its width in the browser, each asked once. */
export function textWidths() {
  const context = document.createElement("canvas").getContext("2d");
  const known = new Map();
  return (text, font) => {
    const key = `${font}|${text}`;
    if (!known.has(key)) {
      context.font = font;
      known.set(key, context.measureText(text).width);
    }
    return known.get(key);
  };
}
