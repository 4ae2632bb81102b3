/**
 * A trace: what a backward did, decoded.
 *
 * Relies on `decode.js` and `stats.js`.
 */

import { number } from "./decode.js";
import { jointNorm } from "./stats.js";

/**
 * Returns a trace.
 *
 * @param {Object} columns One of `data.traces`.
 * @param {Object} graph From `createGraph`.
 * @param {Object} decode From `createDecoder`.
 */
export function createTrace(columns, graph, decode) {
  const { text } = decode;
  const { steps } = columns;
  const stepOf = new Int32Array(graph.nodeCount).fill(-1);
  steps.node.forEach((node, index) => {
    stepOf[node] = index;
  });
  const kept = { in: new Map(), out: new Map() };

  function statistics(which, node) {
    const known = kept[which];
    if (!known.has(node)) {
      const rows = stepOf[node] < 0 ? [] : (steps[which][stepOf[node]] ?? []);
      known.set(node, rows.map(decode.stats));
    }
    return known.get(node);
  }

  return {
    columns,
    graph,
    graphIndex: columns.graph,
    number: columns.number,
    started: placeOf(columns.started, text),
    totalNs: columns.total_ns,
    error: columns.error,
    unread: columns.unread ?? null,
    within: columns.within,
    stepCount: steps.node.length,
    /** The step at which a node ran; -1 if it didn't. */
    stepOf: (node) => stepOf[node],
    nodeAt: (step) => steps.node[step],
    durationOf: (node) => (stepOf[node] < 0 ? null : steps.duration[stepOf[node]]),
    /** What came into a node: statistics for each slot, null where there are none. */
    gradOutputs: (node) => statistics("in", node),
    /** What a node returned, likewise. */
    gradInputs: (node) => statistics("out", node),
    /** Whether anything that came into a node, or went out, isn't finite. */
    isNotFinite: (node) => stepOf[node] >= 0
      && (steps.in[stepOf[node]].some(decode.isNotFinite) || steps.out[stepOf[node]].some(decode.isNotFinite)),
    /** Whether all that came into a node is zero. */
    isZero: (node) => stepOf[node] >= 0 && steps.in[stepOf[node]].length > 0 && steps.in[stepOf[node]].every(decode.isZero),
    /** The joint norm of what came into a node; null where it isn't known. */
    normOf: (node) => jointNorm(statistics("in", node)),
    /** A step with everything that is known of it. */
    step: (index) => stepAt(steps, index, decode),
    /** `{low, high, counts, nans, infs}` of a gradient that was kept, or null; `which` is "in" or "out". */
    histogram(which, node, slot) {
      const found = columns.histograms?.[`${which}:${node}:${slot}`];
      return found ? { ...found, low: number(found.low), high: number(found.high) } : null;
    },
  };
}

/** A line of the user's code: `{file, line, function}`, or null. */
function placeOf(place, text) {
  return place && { file: text(place.file), line: place.line, function: text(place.function) };
}

function stepAt(steps, index, decode) {
  const leaf = steps.leaf[index];
  return {
    index,
    node: steps.node[index],
    started: steps.started[index],
    duration: steps.duration[index],
    thread: steps.thread[index],
    in: steps.in[index].map(decode.stats),
    out: steps.out[index].map(decode.stats),
    kernels: steps.kernels[index].map(decode.kernel),
    came: steps.came[index].map(decode.came),
    leaf: leaf && { how: decode.text(leaf.how), before: decode.stats(leaf.before), after: decode.stats(leaf.after) },
  };
}
