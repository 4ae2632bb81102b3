/**
 * What the drawing can be coloured by: a number or a name for each item, and the steps of a scale.
 *
 * Relies on `digits.js` and `inside.js`. Promises that what is zero, isn't finite or wasn't measured has a step of its
 * own.
 */

import { duration, fewBytes, nbytes, number } from "./digits.js";
import { createInside, savedIn } from "./inside.js";

/** Steps from little to much. */
export const STEPS = 6;

/** Colours of names; more names than these share the last. */
export const HUES = 8;

const DECADES = 1.5; // powers of ten between least and most from which on steps are factors, not differences

/** The measures that a page offers, by the key that the store's `colour` holds. */
export const MEASURES = Object.freeze(["kind", "norm", "time", "saved", "dtype", "module"]);

/**
 * Returns what is known of a graph's items.
 *
 * @param {Object} graph
 * @param {Object|null} trace
 */
export function createMeasures(graph, trace) {
  const inside = createInside(graph, trace);
  const node = {
    norm: (id) => trace?.normOf(id) ?? null,
    time: (id) => trace?.durationOf(id) ?? null,
    saved: (id) => savedIn(graph.savedOf(id)).activations || null,
    dtype: (id) => dtypeOf(graph.metasOf(id)[0]),
    module: (id) => graph.moduleOf(id) ?? moduleOfLeaf(graph.variableOf(id)),
  };
  const box = {
    norm: (index) => normOf(inside, graph.box(index).kind === "repeats" ? inside.spread(index) : null, index),
    time: inside.time,
    saved: (index) => inside.saved(index).activations || null,
    dtype: (index) => common(graph.nodesIn(index).map(node.dtype)),
    module: (index) => node.module(graph.box(index).first),
  };
  const texts = { norm: number, time: duration, saved: nbytes };
  const rounded = (value) => Number(value.toPrecision(2));
  const shorts = {
    norm: (value) => number(rounded(value)),
    time: (value) => duration(rounded(value)),
    saved: fewBytes,
  };
  const hasAny = (measure) => {
    for (let id = 0; id < graph.nodeCount; id++) if (node[measure](id) !== null) return true;
    return false;
  };
  return {
    inside,
    /** The value of an item; null where there's none, and for roots. */
    valueOf(measure, item) {
      if (graph.isRoot(item) || measure === "kind") return null;
      return graph.isNode(item) ? node[measure](item) : box[measure](graph.boxOf(item));
    },
    /** The least and the most that came into blocks that are alike; null for everything else. */
    spreadOf(item) {
      const isFolded = graph.isBox(item) && graph.box(graph.boxOf(item)).kind === "repeats";
      return isFolded ? inside.spread(graph.boxOf(item)) : null;
    },
    textOf: (measure, value) => (value === null ? null : (texts[measure]?.(value) ?? String(value))),
    /** A number's text beside a scale: fewer digits. */
    shortOf: (measure, value) => shorts[measure](value),
    /** Those measures of which anything is known. */
    offered: () => MEASURES.filter((measure) => measure === "kind" || hasAny(measure)),
  };
}

/** Returns the text of a least and a most: one number where they're the same. */
export function spreadText({ least, most }) {
  const texts = [number(least), number(most)];
  return texts[0] === texts[1] ? texts[0] : texts.join(" … ");
}

/** Blocks that are alike stand for their smallest gradient, so that none vanishes unseen; but first, what isn't finite. */
function normOf(inside, spread, box) {
  if (spread === null) return inside.cameIn(box);
  return Number.isFinite(spread.most) ? spread.least : spread.most;
}

/** Whether a measure's values are numbers. */
export function isNumeric(measure) {
  return measure === "norm" || measure === "time" || measure === "saved";
}

/**
 * Returns the scale of some numbers: where each step begins, and where the last ends; null where none is above zero.
 *
 * @param {(number|null)[]} values
 */
export function scaleOf(values) {
  let [least, most] = [Infinity, 0];
  for (const value of values) {
    if (value === null || !(value > 0) || value === Infinity) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (!most) return null;
  if (least === most) return { bounds: [least, most], isLog: false };
  const isLog = Math.log10(most / least) > DECADES;
  const bounds = Array.from({ length: STEPS + 1 }, (_, at) => (
    isLog ? least * (most / least) ** (at / STEPS) : least + ((most - least) * at) / STEPS
  ));
  return { bounds, isLog };
}

/** The step of a value on a scale: "0", …, "zero", "wild" or "none". */
export function stepOf(scale, value) {
  if (value === null) return "none";
  if (!Number.isFinite(value)) return "wild";
  if (value === 0 || scale === null) return "zero";
  return String(scale.bounds.slice(1, -1).filter((bound) => value >= bound).length);
}

/**
 * Returns a number of a colour for each name that occurs, the most frequent first.
 *
 * @param {(string|null)[]} names
 * @returns {Map<string, number>}
 */
export function huesOf(names) {
  const counts = new Map();
  for (const name of names) if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1));
  return new Map(sorted.map(([name], at) => [name, Math.min(at, HUES - 1)]));
}

/** Of a module's path, as much as tells modules of one level apart. */
export function groupOf(path, level) {
  return path === null ? null : path.split(".").slice(0, level).join(".") || path;
}

/** A parameter belongs to the module that its name begins with. */
function moduleOfLeaf(name) {
  return name === null || !name.includes(".") ? null : name.slice(0, name.lastIndexOf("."));
}

function dtypeOf(meta) {
  return meta ? meta.slice(0, meta.indexOf("[")) : null;
}

function common(values) {
  const known = new Set(values.filter((value) => value !== null));
  return known.size === 1 ? [...known][0] : null;
}
