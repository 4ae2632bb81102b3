/**
 * Opening and closing boxes, and choosing what is selected: the changes of the state that several parts make.
 *
 * Relies on nothing.
 */

const FEW = 44; // items that are taken in at a glance

/** Opens a box, or closes it. */
export function toggle(store, box) {
  const open = new Set(store.get().open);
  if (!open.delete(box)) open.add(box);
  store.set({ open });
}

/** Selects what an item number stands for; null for nothing. */
export function select(store, graph, item) {
  store.set({ selected: namedBy(graph, item) });
}

/** What the store calls an item: `{node}`, `{box}`, or for a root the node that it leads to. */
export function namedBy(graph, item) {
  if (item === null) return null;
  if (graph.isNode(item)) return { node: item };
  return graph.isBox(item) ? { box: graph.boxOf(item) } : { node: graph.headOf(graph.edgeCount + graph.rootOf(item)) };
}

/** The item that `{node}` or `{box}` stands for, or null. */
export function itemOf(graph, named) {
  if (!named) return null;
  return named.node !== undefined ? named.node : graph.boxItem(named.box);
}

/** The open boxes with all those that an item lies in. */
export function openedFor(graph, open, item) {
  return new Set([...open, ...graph.pathOf(item)]);
}

/**
 * Returns the boxes that are open at first: the outer ones, as long as what is seen can be taken in at a glance. Where
 * little is to be seen, all are; blocks that repeat and segments stay folded otherwise. A box around one node stays
 * closed: it says as much as the node.
 *
 * @param {Object} graph
 */
export function firstOpen(graph) {
  const open = new Set([0]);
  const isFew = graph.boxCount + graph.nodeCount <= FEW;
  let seen = graph.childrenOf(0).length;
  const waiting = [0];
  for (let at = 0; at < waiting.length; at++) {
    for (const item of graph.childrenOf(waiting[at])) {
      if (!graph.isBox(item)) continue;
      const box = graph.boxOf(item);
      const more = graph.childrenOf(box).length - 1;
      if (more === 0 || (!isFew && (graph.box(box).kind !== "module" || seen + more > FEW))) continue;
      seen += more;
      open.add(box);
      waiting.push(box);
    }
  }
  return open;
}

/** Every box that must be open to see all that lies in one, as long as no more than `most` items are seen. */
export function openedBelow(graph, open, box, most) {
  const result = new Set(open);
  const waiting = [box];
  let seen = 0;
  for (let at = 0; at < waiting.length; at++) {
    seen += graph.childrenOf(waiting[at]).length;
    if (at > 0 && seen > most) break;
    result.add(waiting[at]);
    for (const item of graph.childrenOf(waiting[at])) if (graph.isBox(item)) waiting.push(graph.boxOf(item));
  }
  return result;
}
