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
  const model = graph.box(0).title; // the model's own second call is "Net#2", after its class
  const bare = (path) => {
    const names = path.replaceAll(/#\d+(?=\.|$)/g, "").split(".");
    return (path.startsWith(`${model}#`) && names[0] === model ? names.slice(1) : names).join(".");
  };
  const paths = Array.from({ length: graph.nodeCount }, (_, node) => {
    const path = graph.moduleOf(node);
    return path === null ? OUTSIDE : bare(path);
  });
  const known = new Set(paths.filter((path) => path !== OUTSIDE));
  if (!known.size) return paths;
  return paths.map((path, node) => {
    const variable = path === OUTSIDE && graph.kindOf(node) === "accumulate" ? graph.variableOf(node) : null;
    if (variable === null) return path;
    return around(variable).slice(1).find((each) => known.has(each)) ?? (variable.includes(".") ? "" : OUTSIDE);
  });
}
