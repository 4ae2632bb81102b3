/**
 * The chain rule of one step, with its numbers, for a computation on single numbers.
 *
 * Relies on `digits.js`. Promises what `draw/views/chain.py` does: what stands left and right of an `=` is the same
 * number as far as it's printed. Where the product doesn't come to what arrived (a hook changed it), it isn't written.
 */

import { number } from "./digits.js";

const LONGEST = 8; // factors of a chain that is written out
const CLOSE = 1e-3; // relative: four digits are printed, and float16 carries no more than three

/**
 * Returns what a node's step does to the gradient, one line for each way that it sends one.
 *
 * @param {Object} trace A trace of the model.
 * @param {number} node
 * @returns {{left: string, names: (string|null), product: (string|null), result: string, part: boolean, head: number}[]}
 *   "∂loss/∂w" = "∂loss/∂ŷ · ∂ŷ/∂w" = "−8 × 2" = "−16"; `part` where other ways lead to the same variable. Empty
 *   where the graph isn't of single numbers.
 */
export function chainRule(trace, node, text) {
  const { graph } = trace;
  const { scalar } = graph.columns;
  if (!scalar) return [];
  const root = graph.edge(graph.edgeCount).head;
  const nameOf = (at) => text(scalar.name[at]) ?? (at === root ? "output" : `v${at}`);
  const output = nameOf(root);
  const gradient = trace.gradOutputs(node)[0]?.mean ?? null;
  return graph.edgesOut(node).map((edge) => {
    const { head } = graph.edge(edge);
    const [local, arrives] = [scalar.local[edge], scalar.arrives[edge]];
    const whole = graph.edgesIn(head).length === 1;
    const names = `∂${output}/∂${nameOf(node)} · ∂${nameOf(node)}/∂${nameOf(head)}`;
    return {
      left: `∂${output}/∂${nameOf(head)}`,
      names: whole && node !== root ? names : null,
      product: comesTo(gradient, local, arrives) ? `${shown(gradient)} × ${bracketed(shown(local))}` : null,
      result: shown(arrives),
      part: !whole,
      head,
    };
  });
}

/**
 * Returns the whole chain to a variable, where there is one way to it and that is short: the local gradients, multiplied.
 *
 * @returns {Object|null} As one of the lines of `chainRule`.
 */
export function wholeChain(trace, node, text) {
  const { graph } = trace;
  const { scalar } = graph.columns;
  const root = graph.edge(graph.edgeCount).head;
  const nameOf = (at) => text(scalar.name[at]);
  const [names, factors] = [[], []];
  let product = 1;
  for (let at = node; at !== root;) {
    const [edge, ...others] = graph.edgesIn(at);
    const { tail } = graph.edge(edge);
    if (others.length || factors.length === LONGEST || nameOf(at) === null || nameOf(tail) === null) return null;
    names.unshift(`∂${nameOf(tail)}/∂${nameOf(at)}`);
    factors.unshift(shown(scalar.local[edge]));
    product *= scalar.local[edge];
    at = tail;
  }
  const gradient = trace.gradOutputs(node)[0]?.mean ?? null;
  if (factors.length < 2 || !comesTo(1, product, gradient)) return null;
  const [first, ...more] = factors;
  return {
    left: `∂${nameOf(root)}/∂${nameOf(node)}`, names: names.join(" · "), part: false, result: shown(gradient),
    product: [first, ...more.map(bracketed)].join(" · "),
  };
}

/** Returns what a variable of such a computation is called, what it is, and its gradient; null for other graphs. */
export function scalarOf(trace, node, text) {
  const { scalar } = trace.graph.columns;
  if (!scalar) return null;
  const gradient = trace.gradOutputs(node)[0]?.mean ?? null;
  return { name: text(scalar.name[node]) ?? `v${node}`, value: shown(scalar.value[node]), gradient: shown(gradient) };
}

function comesTo(gradient, local, arrives) {
  if (![gradient, local, arrives].every((each) => typeof each === "number")) return false;
  const product = gradient * local;
  return product === arrives || Math.abs(product - arrives) <= CLOSE * Math.max(Math.abs(product), Math.abs(arrives));
}

function shown(value) {
  if (value === null || value === undefined) return "?";
  return typeof value === "number" ? number(value) : String(value);
}

function bracketed(factor) {
  return factor.startsWith("−") ? `(${factor})` : factor;
}
