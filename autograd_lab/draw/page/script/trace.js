/**
 * A trace: what a backward did, decoded.
 *
 * Relies on `stats.js`.
 */

import { jointNorm, number, statsOf } from "./stats.js";

/**
 * Returns a trace.
 *
 * @param {Object} columns One of `data.traces`.
 * @param {Object} graph From `createGraph`.
 * @param {function(number): (string|null)} text
 */
export function createTrace(columns, graph, text) {
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
      known.set(node, rows.map((row) => statsOf(row, text)));
    }
    return known.get(node);
  }

  return {
    columns,
    graph,
    graphIndex: columns.graph,
    number: columns.number,
    started: text(columns.started),
    totalNs: columns.total_ns,
    error: columns.error,
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
    /** The joint norm of what came into a node; null where it isn't known. */
    normOf: (node) => jointNorm(statistics("in", node)),
    /** A step with everything that is known of it. */
    step: (index) => stepAt(steps, index, text),
    /** `{low, high, counts, nans, infs}` of a gradient that was kept, or null; `which` is "in" or "out". */
    histogram(which, node, slot) {
      const found = columns.histograms?.[`${which}:${node}:${slot}`];
      return found ? { ...found, low: number(found.low), high: number(found.high) } : null;
    },
  };
}

function stepAt(steps, index, text) {
  const leaf = steps.leaf[index];
  return {
    index,
    node: steps.node[index],
    started: steps.started[index],
    duration: steps.duration[index],
    thread: steps.thread[index],
    in: (steps.in[index] ?? []).map((row) => statsOf(row, text)),
    out: (steps.out[index] ?? []).map((row) => statsOf(row, text)),
    kernels: (steps.kernels[index] ?? []).map((kernel) => ({ name: text(kernel.name), by: text(kernel.by) })),
    came: (steps.came[index] ?? []).map((each) => ({
      slot: each.slot,
      source: each.source,
      senderSlot: each.sender_slot,
      stats: statsOf(each.stats, text),
    })),
    leaf: leaf && {
      how: text(leaf.how),
      before: statsOf(leaf.before, text),
      after: statsOf(leaf.after, text),
    },
  };
}
