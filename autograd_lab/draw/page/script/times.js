/**
 * How long the nodes of each module took.
 *
 * Relies on nothing; reads traces as `model.js` makes them.
 */

/** In place of a module's path: outside of any module. */
export const OUTSIDE = null;

/**
 * Returns the modules of a backward with the time of their nodes, the longest first.
 *
 * @param {Object} trace
 * @returns {{rows: {path: (string|null), self: number, total: number, count: number, nodes: number[]}[], known: number}}
 *   `self` is the time of the nodes that lie in the module itself, `total` with those of the modules inside it; `known` is
 *   the time of all nodes, in nanoseconds. Several calls of one module are taken together.
 */
export function moduleTimes(trace) {
  const { graph } = trace;
  const paths = modulesOf(graph);
  const found = new Map();
  let known = 0;
  for (const node of trace.columns.steps.node) {
    const duration = trace.durationOf(node);
    if (duration === null) continue;
    known += duration;
    const own = row(found, paths[node]);
    own.self += duration;
    own.count += 1;
    own.nodes.push(node);
    for (const path of around(paths[node])) row(found, path).total += duration;
  }
  const rows = [...found.values()].filter(({ count }) => count > 0);
  return { rows: rows.sort((one, other) => other.self - one.self), known };
}

function row(found, path) {
  if (!found.has(path)) found.set(path, { path, self: 0, total: 0, count: 0, nodes: [] });
  return found.get(path);
}

/** A module's path, and those of the modules around it. */
function around(path) {
  const all = [path];
  while (path) {
    path = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "";
    all.push(path);
  }
  return all;
}

/**
 * Returns for each node the path of its module, without numbers of calls: "" for the model itself, null for none. No
 * forward makes a leaf: its name says to which module it belongs, or to which one around that.
 */
export function modulesOf(graph) {
  const paths = Array.from({ length: graph.nodeCount }, (_, node) => (
    graph.moduleOf(node)?.replaceAll(/#\d+(?=\.|$)/g, "") ?? OUTSIDE));
  const known = new Set(paths.filter((path) => path !== OUTSIDE));
  if (!known.size) return paths;
  return paths.map((path, node) => {
    const variable = path === OUTSIDE && graph.kindOf(node) === "accumulate" ? graph.variableOf(node) : null;
    if (variable === null) return path;
    const home = around(variable).slice(1).find((each) => known.has(each) && each !== "");
    return home ?? (variable.includes(".") ? "" : OUTSIDE);
  });
}
