/**
 * Gradient norms of the leaves by layer: of one backward, or of several beside each other.
 *
 * Relies on nothing; reads traces as `model.js` makes them. Says the same as `draw/plots/norms.py` and `measures.py`:
 * rows stand in the model's order, that against which a backward runs, and several gradients taken together have the
 * root of the sum of their squares.
 */

/** In place of a norm: a gradient came, and it couldn't be measured or wasn't. */
export const UNMEASURED = "not measured";

/** Key of the word for what has no place on a logarithmic axis -> the sign where there's no room for a word. */
export const SIGNS = { "no gradient": "–", "not measured": "?", zero: "0", NaN: "×", infinite: "∞" };

/** Returns the key of the word for a norm; null where it has a place on a logarithmic axis. */
export function wordFor(norm) {
  if (norm === null) return "no gradient";
  if (norm === UNMEASURED) return UNMEASURED;
  if (norm === 0) return "zero";
  if (Number.isNaN(norm)) return "NaN";
  return Number.isFinite(norm) ? null : "infinite";
}

/**
 * Returns what arrived at each leaf of a backward, the model's first leaf first.
 *
 * @param {Object} trace
 * @returns {{name: string, norm: (number|string|null), nodes: number[]}[]} Parameters that no way leads to have no nodes.
 */
export function normsOf(trace) {
  const { graph, columns } = trace;
  const found = new Map();
  const add = (name, norm, nodes) => {
    if (!found.has(name)) found.set(name, { name, norm, nodes });
  };
  const leaves = [];
  for (let node = 0; node < graph.nodeCount; node += 1) if (graph.kindOf(node) === "accumulate") leaves.push(node);
  const ran = columns.steps.node.filter((node) => graph.kindOf(node) === "accumulate");
  for (const node of ran.reverse()) add(leafName(graph, node), arrivedAt(trace, node), [node]);
  for (const node of leaves) add(leafName(graph, node), null, [node]);
  for (const name of graph.unreached) add(name, null, []);
  return [...found.values()];
}

/** Returns what a leaf is called; one without a name by its number. */
export function leafName(graph, node) {
  return graph.variableOf(node) ?? `#${node}`;
}

function arrivedAt(trace, node) {
  const stats = trace.gradOutputs(node)[0] ?? null;
  if (stats) return stats.norm ?? UNMEASURED;
  const leaf = trace.step(trace.stepOf(node)).leaf;
  return leaf && leaf.how !== "nothing" ? UNMEASURED : null;
}

/**
 * Takes parameters of one layer together, and layers of one block, until there are few enough names.
 *
 * @param {Object[][]} found The rows of each backward.
 * @param {number} most
 * @returns {Object[][]}
 */
export function together(found, most) {
  const shortened = new Map(found.flat().map(({ name }) => [name, name]));
  const depthOf = (name) => name.split(".").length - 1;
  while (new Set(shortened.values()).size > most) {
    const depth = [...shortened.values()].reduce((deepest, name) => Math.max(deepest, depthOf(name)), 0);
    if (depth === 0) break;
    for (const [name, short] of shortened) {
      if (depthOf(short) === depth) shortened.set(name, short.slice(0, short.lastIndexOf(".")));
    }
  }
  return found.map((rows) => grouped(rows, shortened));
}

function grouped(rows, shortened) {
  const groups = new Map();
  for (const row of rows) {
    const name = shortened.get(row.name);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return [...groups].map(([name, parts]) => ({
    name,
    norm: sideBySide(parts.map(({ norm }) => norm)),
    nodes: parts.flatMap(({ nodes }) => nodes),
  }));
}

/** The norm of several gradients laid side by side; an infinite one makes it infinite, also beside NaN. */
function sideBySide(norms) {
  if (norms.includes(UNMEASURED)) return UNMEASURED;
  const there = norms.filter((norm) => norm !== null);
  if (there.includes(Infinity)) return Infinity;
  return there.length ? Math.hypot(...there) : null;
}
