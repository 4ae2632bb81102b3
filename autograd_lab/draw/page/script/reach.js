/**
 * Where a gradient goes from some place: the nodes on the paths to the leaves.
 *
 * Relies on nothing.
 */

/**
 * Returns the nodes that an item's gradient reaches, its own with them, and the items that they are or lie in.
 *
 * @param {Object} graph
 * @param {number} item
 * @returns {{nodes: Set<number>, items: Set<number>}}
 */
export function pathsFrom(graph, item) {
  const starts = graph.isBox(item)
    ? graph.nodesIn(graph.boxOf(item))
    : [graph.isRoot(item) ? graph.headOf(graph.edgeCount + graph.rootOf(item)) : item];
  const nodes = new Set(starts);
  const waiting = [...starts];
  while (waiting.length) {
    for (const edge of graph.edgesOut(waiting.pop())) {
      const head = graph.headOf(edge);
      if (!nodes.has(head)) {
        nodes.add(head);
        waiting.push(head);
      }
    }
  }
  if (graph.isRoot(item)) nodes.add(item);
  const items = new Set([item]);
  for (const node of nodes) {
    items.add(node);
    for (let box = graph.parentOf(node); box >= 0; box = graph.parentOf(graph.boxItem(box))) {
      if (items.has(graph.boxItem(box))) break;
      items.add(graph.boxItem(box));
    }
  }
  return { nodes, items };
}
