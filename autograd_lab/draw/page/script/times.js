/**
 * How long the nodes of each module took.
 *
 * Relies on nothing; reads traces as `model.js` makes them.
 */

/** In place of a module's path: outside of any module. */
export const OUTSIDE = null;

/**
 * Returns the modules of a backward with the time of their nodes.
 *
 * @param {Object} trace
 * @returns {{rows: {path: (string|null), self: Object, total: Object}[], known: number}} `self` is about the nodes that lie
 *   in the module itself, `total` about those of the modules inside it, too: `{time, nodes}`, in nanoseconds; `known` is the
 *   time of all nodes. Several calls of one module are taken together.
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
    add(row(found, paths[node]).self, node, duration);
    for (const path of around(paths[node])) add(row(found, path).total, node, duration);
  }
  return { rows: [...found.values()], known };
}

function row(found, path) {
  if (!found.has(path)) found.set(path, { path, self: { time: 0, nodes: [] }, total: { time: 0, nodes: [] } });
  return found.get(path);
}

function add(sum, node, duration) {
  sum.time += duration;
  sum.nodes.push(node);
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
