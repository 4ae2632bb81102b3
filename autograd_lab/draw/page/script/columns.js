/**
 * The columns of the table of nodes: what stands in them, and what they are sorted by.
 *
 * Relies on `digits.js`, `inside.js` and `stats.js`; reads graphs and traces as `model.js` makes them.
 */

import { duration, nbytes, number } from "./digits.js";
import { savedIn } from "./inside.js";
import { jointNorm } from "./stats.js";

/**
 * Returns the columns that have something to say of a graph and its trace.
 *
 * @param {Object} graph
 * @param {Object|null} trace
 * @returns {{key: string, kind: string, value: function(number): (number|string|null), text: function(number): string}[]}
 *   `value` is what is sorted by: a number or a text, null for none. `kind` is "number" or "name".
 */
export function columnsOf(graph, trace) {
  const all = [
    numbers("node id", (node) => node, (node) => `#${node}`),
    names("name", graph.nameOf),
    names("place", (node) => graph.variableOf(node) ?? graph.moduleOf(node)),
    ...(trace ? ofTrace(trace) : []),
    numbers("saved activations", (node) => savedIn(graph.savedOf(node)).activations || null, nbytes),
    numbers("saved parameters", (node) => savedIn(graph.savedOf(node)).parameters || null, nbytes),
    names("gradient", (node) => graph.metasOf(node).join(", ") || null),
    names("line", (node) => lineOf(graph, node)),
  ];
  return all.filter(({ key, value }) => ALWAYS.has(key) || hasAny(graph.nodeCount, value));
}

const ALWAYS = new Set(["node id", "name"]);

function ofTrace(trace) {
  const step = (node) => (trace.stepOf(node) < 0 ? null : trace.stepOf(node) + 1);
  return [
    numbers("step", step, String),
    numbers("came in", (node) => trace.normOf(node), number),
    numbers("went out", (node) => jointNorm(trace.gradInputs(node)), number),
    numbers("time", trace.durationOf, duration),
  ];
}

function numbers(key, value, write) {
  const text = (node) => {
    const known = value(node);
    return known === null ? "" : write(known);
  };
  return { key, kind: "number", value, text };
}

function names(key, value) {
  return { key, kind: "name", value, text: (node) => value(node) ?? "" };
}

/** Returns a node's place in the source as "train.py:12", or null. */
export function lineOf(graph, node) {
  const { file, line } = graph.placeOf(node);
  return file === null ? null : `${file.split(/[/\\]/).pop()}:${line}`;
}

function hasAny(count, value) {
  for (let node = 0; node < count; node += 1) if (value(node) !== null) return true;
  return false;
}

/**
 * Returns nodes sorted by a column: what has no value comes last, what is NaN counts as more than any number, and equal
 * ones stay in the nodes' order.
 *
 * @param {number[]} nodes
 * @param {Object} column
 * @param {boolean} down Whether the largest comes first.
 * @returns {number[]}
 */
export function sorted(nodes, column, down) {
  const keys = new Map(nodes.map((node) => [node, column.value(node)]));
  const rank = column.kind === "name" ? ranksOf(new Set(keys.values())) : null;
  const keyOf = (node) => {
    const key = keys.get(node);
    if (key === null) return null;
    if (rank) return rank.get(key);
    return Number.isNaN(key) ? Infinity : key;
  };
  const there = nodes.filter((node) => keys.get(node) !== null);
  const without = nodes.filter((node) => keys.get(node) === null);
  const known = Float64Array.from(there, keyOf);
  const order = Array.from(there, (_, at) => at);
  order.sort((one, other) => {
    const [left, right] = [known[one], known[other]];
    if (left === right) return one - other;
    return (left < right) === down ? 1 : -1;
  });
  return [...order.map((at) => there[at]), ...without];
}

/** Names in the order in which people count: "h.2" before "h.10". */
function ranksOf(names_) {
  const { compare } = new Intl.Collator("en", { numeric: true });
  const there = [...names_].filter((name) => name !== null);
  return new Map(there.sort(compare).map((name, rank) => [name, rank]));
}

/**
 * Returns the nodes in which every word of a text occurs: in the name, the leaf, the module, the line or "#12".
 *
 * @param {Object} graph
 * @param {string} filter
 * @returns {number[]}
 */
export function filtered(graph, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const all = Array.from({ length: graph.nodeCount }, (_, node) => node);
  if (!words.length) return all;
  const texts = textsOf(graph);
  return all.filter((node) => words.every((word) => (
    word.startsWith("#") ? word === `#${node}` : texts[node].includes(word))));
}

const known = new WeakMap();

/** What is searched of each node. */
function textsOf(graph) {
  if (!known.has(graph)) {
    known.set(graph, Array.from({ length: graph.nodeCount }, (_, node) => (
      [graph.nameOf(node), graph.variableOf(node), graph.moduleOf(node), lineOf(graph, node)]
        .filter((part) => part !== null).join("\n").toLowerCase())));
  }
  return known.get(graph);
}
