/**
 * What the panels have in common: each is drawn only while it is shown, and again when something that it shows changes.
 *
 * Relies on `dom.js`.
 */

import { oncePerFrame } from "./dom.js";

/**
 * Has a panel drawn when it is shown, and while it is shown whenever one of some fields of the state changes.
 *
 * @param {Object} store
 * @param {string} key The panel's.
 * @param {string[]} fields
 * @param {function(Object): void} draw Gets the state.
 * @returns {function(): void} Has it drawn anew at the next picture, if it is shown.
 */
export function whileShown(store, key, fields, draw) {
  let stale = true;
  const update = () => {
    const state = store.get();
    if (!stale || state.panel !== key) return;
    stale = false;
    draw(state);
  };
  store.subscribe((state, changed) => {
    if (fields.some((field) => changed.has(field))) stale = true;
    if (stale && state.panel === key) update();
  });
  update();
  return oncePerFrame(() => {
    stale = true;
    update();
  });
}

/** Calls back when an element gets another width or height. */
export function onResize(host, work) {
  let known = "";
  new ResizeObserver(([entry]) => {
    const size = `${Math.round(entry.contentRect.width)} ${Math.round(entry.contentRect.height)}`;
    if (size !== known && entry.contentRect.width > 0) {
      known = size;
      work();
    }
  }).observe(host);
}

/** Returns what the store's `selected` is for some nodes: the node, or the innermost box around all of them. */
export function selectionOf(graph, nodes) {
  if (!nodes.length) return null;
  if (nodes.length === 1) return { node: nodes[0] };
  const [first, ...others] = nodes.map((node) => graph.pathOf(node));
  let depth = first.length;
  for (const path of others) while (path[depth - 1] !== first[depth - 1] || path.length < depth) depth -= 1;
  return { box: first[depth - 1] };
}
