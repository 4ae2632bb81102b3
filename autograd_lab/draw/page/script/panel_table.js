/**
 * The panel with all nodes in a table that sorts and filters. A row's click selects the node in the drawing, and what
 * is selected there is marked here.
 *
 * Relies on `columns.js` and `virtual.js`.
 */

import { columnsOf, filtered, sorted } from "./columns.js";
import { count } from "./digits.js";
import { change, element, fill } from "./dom.js";
import { whileShown } from "./panel.js";
import { createRows } from "./virtual.js";

export const KEY = "nodes";
const HEIGHT = 24;
const SORT_SIGNS = { none: "", descending: " ▼", ascending: " ▲" };
const WIDTHS = { "node id": 58, name: 140, place: 130, step: 50, "saved activations": 118, "saved parameters": 118, gradient: 92, line: 92 };
const ENDS = new Set(["place", "line"]); // columns of whose texts the end says the most
const WIDTH = 70; // pixels, of any other column

/** Builds the panel. */
export function mount(host, { model, store, t }) {
  let columns = [];
  let nodes = []; // in the order of the rows
  let places = new Map(); // a node's row
  let by = { key: "node id", down: false };

  const filter = element("input", {
    type: "search", class: "table-filter", placeholder: t("filter nodes"), "aria-label": t("filter nodes"),
    oninput: () => store.set({ filter: filter.value }),
  });
  const note = element("span", { class: "panel-note", role: "status" });
  const head = element("div", { class: "table-row table-head", role: "row" });
  const list = createRows({
    height: HEIGHT, make, head,
    attributes: { class: "rows table", role: "grid", tabindex: "0", "aria-label": t("nodes panel"), onkeydown: keys },
  });
  const table = list.element;
  fill(host, element("div", { class: "panel-head" }, filter, note), table);

  function draw(state) {
    const graph = model.graphOf(state);
    columns = columnsOf(graph, model.traceAt(state));
    const column = columns.find(({ key }) => key === by.key) ?? columns[0];
    if (filter.value !== state.filter) filter.value = state.filter;
    nodes = sorted(filtered(graph, state.filter), column, by.down);
    places = new Map(nodes.map((node, row) => [node, row]));
    const shape = columns.map(({ key }) => `minmax(${WIDTHS[key] ?? WIDTH}px, ${WIDTHS[key] ?? WIDTH}fr)`).join(" ");
    table.style.setProperty("--columns", shape);
    table.setAttribute("aria-rowcount", String(nodes.length + 1));
    fill(head, columns.map(heading));
    note.textContent = t("nodes shown", { shown: count(nodes.length), all: count(graph.nodeCount) });
    list.show(nodes.length);
    mark(state);
  }

  function heading({ key, kind }) {
    const sort = by.key !== key ? "none" : by.down ? "descending" : "ascending";
    return element("div", { role: "columnheader", "aria-sort": sort, class: kind },
      element("button", { type: "button", onclick: () => sortBy(key, kind) },
        t(`column ${key}`), element("span", { class: "table-sort", "aria-hidden": "true" }, SORT_SIGNS[sort])));
  }

  /** Sorts by a column; names and ids begin with the smallest, amounts with the largest; again turns it round. */
  function sortBy(key, kind) {
    const first = kind === "number" && key !== "node id" && key !== "step";
    by = by.key === key ? { key, down: !by.down } : { key, down: first };
    draw(store.get());
    [...head.querySelectorAll("button")][columns.findIndex((column) => column.key === key)].focus();
  }

  function make(row) {
    const node = nodes[row];
    const selected = store.get().selected?.node === node;
    return element("div", {
      id: `row-${node}`,
      class: `table-row${selected ? " selected" : ""}${row % 2 ? " odd" : ""}`, role: "row", "aria-rowindex": row + 2,
      "aria-selected": String(selected), onclick: () => store.set({ selected: { node } }),
    }, columns.map(({ key, kind, text }) => cell(ENDS.has(key) ? `${kind} end` : kind, text(node))));
  }

  function cell(kind, text) {
    return element("div", { role: "gridcell", class: kind, title: text }, element("bdi", {}, text));
  }

  function mark({ selected }) {
    list.redraw();
    const row = places.get(selected?.node);
    change(table, { "aria-activedescendant": row === undefined ? null : `row-${selected.node}` });
    if (row !== undefined) list.reveal(row);
  }

  /** ↑ and ↓ select the row above or below. */
  function keys(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 }[event.key];
    if (!step || !nodes.length) return;
    event.preventDefault();
    const row = places.get(store.get().selected?.node) ?? (step > 0 ? -1 : nodes.length);
    store.set({ selected: { node: nodes[Math.max(0, Math.min(nodes.length - 1, row + step))] } });
  }

  whileShown(store, KEY, ["trace", "graph", "filter", "language"], draw);
  store.subscribe((state, changed) => {
    if (changed.has("selected") && state.panel === KEY) mark(state);
  });
}
