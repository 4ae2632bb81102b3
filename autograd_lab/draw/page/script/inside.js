/**
 * What is inside a box, taken together: the gradient that came in and went out, time, saved bytes.
 *
 * Relies on `graph.js` and `stats.js`. Promises numbers that were counted: what can't be told is null.
 */

import { bytesOf } from "./graph.js";
import { jointNorm } from "./stats.js";

/**
 * Returns functions of a box's number; each answer is kept.
 *
 * @param {Object} graph
 * @param {Object|null} trace
 */
export function createInside(graph, trace) {
  const kept = new Map();
  const once = (what, box, make) => {
    const key = `${what}${box}`;
    if (!kept.has(key)) kept.set(key, make(box));
    return kept.get(key);
  };
  const ways = (box) => once("ways", box, () => waysOf(graph, box));
  return {
    /** The edges that lead into the box, and those that lead out of it. */
    ways,
    /** The norm of all that came in, laid side by side; null where a share of it wasn't measured. */
    cameIn: (box) => once("in", box, () => (trace ? cameIn(graph, trace, box, ways(box).into) : null)),
    /** The norm of all that went out. */
    wentOut: (box) => once("out", box, () => (trace ? together(sentAlong(graph, trace, ways(box).outOf)) : null)),
    /** The least and the most that came into one of the blocks that are alike; null where none is known. */
    spread: (box) => once("spread", box, () => spreadOf(copiesOf(graph, box).map((copy) => (
      trace ? cameIn(graph, trace, copy, ways(copy).into) : null
    )))),
    /** Nanoseconds that the nodes inside took, each for itself. */
    time: (box) => once("time", box, () => (trace ? timeOf(graph, trace, box) : null)),
    /** What the nodes inside keep alive: bytes of activations, and of parameters and buffers. */
    saved: (box) => once("saved", box, () => savedIn(graph.nodesIn(box).flatMap(graph.savedOf))),
  };
}

/** The blocks that a box of blocks that are alike folds, also those in segments. */
export function copiesOf(graph, box) {
  const boxes = graph.childrenOf(box).filter(graph.isBox).map(graph.boxOf);
  return boxes.flatMap((child) => (graph.box(child).kind === "segment" ? copiesOf(graph, child) : [child]));
}

/** The smallest and the largest; what isn't finite is the largest of all. */
function spreadOf(norms) {
  const known = norms.filter((norm) => norm !== null);
  if (!known.length) return null;
  const size = (norm) => (Number.isNaN(norm) ? Infinity : norm);
  known.sort((left, right) => (size(left) === size(right) ? 0 : size(left) - size(right)));
  return { least: known[0], most: known.at(-1) };
}

/** Bytes of saved tensors: those that only the graph keeps alive, and those of parameters and buffers. */
export function savedIn(saved) {
  return {
    activations: bytesOf(saved.filter((each) => each.owner === null)),
    parameters: bytesOf(saved.filter((each) => each.owner !== null)),
  };
}

function waysOf(graph, box) {
  const nodes = new Set(graph.nodesIn(box));
  const [into, outOf] = [[], []];
  for (const node of nodes) {
    for (const edge of graph.edgesIn(node)) if (!nodes.has(graph.tailOf(edge))) into.push(edge);
    for (const edge of graph.edgesOut(node)) if (!nodes.has(graph.headOf(edge))) outOf.push(edge);
  }
  return { into, outOf };
}

function sentAlong(graph, trace, edges) {
  return edges.map((edge) => trace.gradInputs(graph.tailOf(edge))[graph.edge(edge).slot] ?? null);
}

/** The joint norm; null where something couldn't be measured. */
function together(all) {
  return all.some((stats) => stats && stats.unmeasured !== null) ? null : jointNorm(all);
}

/** What edges brought, and what the backward was started with where it entered here. */
function cameIn(graph, trace, box, into) {
  const started = [];
  const nodes = new Set(graph.nodesIn(box));
  for (let root = 0; root < graph.rootCount; root++) {
    const { head, input } = graph.edge(graph.edgeCount + root);
    if (!nodes.has(head)) continue;
    const others = graph.edgesIn(head).some((edge) => graph.edge(edge).input === input);
    if (others) return null; // it can't be told from what was added to it
    started.push(trace.gradOutputs(head)[input] ?? null);
  }
  return together([...sentAlong(graph, trace, into), ...started]);
}

function timeOf(graph, trace, box) {
  const known = graph.nodesIn(box).map(trace.durationOf).filter((duration) => duration !== null);
  return known.length ? known.reduce((sum, duration) => sum + duration, 0) : null;
}
