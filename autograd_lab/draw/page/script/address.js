/**
 * The permalink: what is selected, and of which trace, stands behind the `#` of the page's address.
 *
 * Relies on nothing.
 */

/** Returns the part behind the `#` for a state: "node=12", "trace=1&box=3" or nothing. */
export function written({ trace, selected }, traceCount) {
  const parts = [];
  if (traceCount > 1 && trace) parts.push(`trace=${trace}`);
  if (selected?.node !== undefined) parts.push(`node=${selected.node}`);
  if (selected?.box !== undefined) parts.push(`box=${selected.box}`);
  return parts.join("&");
}

/**
 * Returns the fields of the state that an address names; what it names and isn't there is left out.
 *
 * @param {string} hash With or without its `#`.
 * @param {Object} model
 * @param {Object} state
 */
export function read(hash, model, state) {
  const named = new Map(hash.replace(/^#/, "").split("&").map((part) => part.split("=")));
  const number = (name) => (/^\d+$/.test(named.get(name) ?? "") ? Number(named.get(name)) : null);
  const fields = {};
  const trace = number("trace");
  if (trace !== null && trace < model.traces.length) {
    Object.assign(fields, { trace, graph: model.traces[trace].graphIndex });
  }
  const graph = model.graphOf({ ...state, ...fields });
  const [node, box] = [number("node"), number("box")];
  if (node !== null && node < graph.nodeCount) fields.selected = { node };
  else if (box !== null && box < graph.boxCount) fields.selected = { box };
  return fields;
}

/** Has the address follow the state, and the state a changed address. */
export function mount({ model, store, signal }) {
  store.subscribe((state, changed) => {
    if (!changed.has("selected") && !changed.has("trace")) return;
    const hash = written(state, model.traces.length);
    if (hash === location.hash.replace(/^#/, "")) return;
    try {
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error; // a page within a notebook has no address of its own
    }
  });
  window.addEventListener("hashchange", () => store.set(read(location.hash, model, store.get())), { signal });
}
