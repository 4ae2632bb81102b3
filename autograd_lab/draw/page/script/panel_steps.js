/**
 * The panel of layers and backwards: the gradient norm of each layer at each step of training. A click on a cell shows
 * that backward and selects that layer.
 *
 * Relies on `heatmap.js`, `norms.js` and `scale.js`.
 */

import { number } from "./digits.js";
import { element, fill } from "./dom.js";
import { SHADES, createHeatmap } from "./heatmap.js";
import { SIGNS, normsOf, together, wordFor } from "./norms.js";
import { selectionOf, whileShown } from "./panel.js";

export const KEY = "steps";
const MOST = 60; // rows; with more parameters, those of one layer are taken together

/** Builds the panel. */
export function mount(host, { model, store, t, signal }) {
  let map = null;
  const known = new WeakMap(); // a trace's norms: while a run is followed, more traces come
  const reading = element("output", { class: "panel-note" });
  const legend = element("div", { class: "heat-legend" });
  const heat = createHeatmap({ label: t("steps panel"), onHover: read, onPick: pick });
  fill(host, element("div", { class: "panel-head" }, reading, legend), heat.element);

  function draw(state) {
    map = mapOf(model.traces, known);
    heat.element.hidden = !map.names.length;
    fill(legend, legendOf(map, t));
    show(state);
    read(null);
  }

  function show(state) {
    const row = map.rows.findIndex(({ nodes }) => nodes[state.trace]?.includes(state.selected?.node));
    heat.show({ ...map, here: { row, column: state.trace } });
  }

  function read(cell) {
    if (!cell) {
      reading.textContent = t(map.names.length ? "hover steps" : "no leaf");
      return;
    }
    const norm = map.cells[cell.row][cell.column];
    const word = wordFor(norm);
    reading.textContent = t("layer at", {
      layer: map.names[cell.row], backward: map.numbers[cell.column], norm: word ? t(word) : number(norm) });
  }

  function pick({ row, column }) {
    const trace = model.traces[column];
    store.set({
      trace: column, graph: trace.graphIndex, selected: selectionOf(trace.graph, map.rows[row].nodes[column] ?? []) });
  }

  whileShown(store, KEY, ["traces", "language"], draw);
  store.subscribe((state, changed) => {
    if (state.panel !== KEY) return;
    if (changed.has("trace") || changed.has("selected") || changed.has("panel")) show(state);
    if (changed.has("theme")) heat.repaint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", heat.repaint, { signal });
}

/** Rows in the model's order, a column for each backward, and the scale that all cells share. */
function mapOf(traces, known) {
  for (const trace of traces) if (!known.has(trace)) known.set(trace, normsOf(trace));
  const found = together(traces.map((trace) => known.get(trace)), MOST);
  const names = [...new Set(found.flatMap((rows) => rows.map(({ name }) => name)))];
  const byName = found.map((rows) => new Map(rows.map((row) => [row.name, row])));
  const rows = names.map((name) => ({ nodes: byName.map((known) => known.get(name)?.nodes ?? []) }));
  const cells = names.map((name) => byName.map((known) => known.get(name)?.norm ?? null));
  const there = cells.flat().filter((norm) => wordFor(norm) === null);
  const low = there.reduce((least, norm) => Math.min(least, norm), Infinity);
  const high = there.reduce((most, norm) => Math.max(most, norm), 0);
  const numbers = traces.map((trace) => trace.number);
  return {
    rows, names, cells, low, high,
    numbers: new Set(numbers).size < numbers.length ? traces.map((_, at) => at) : numbers,
    shade: (norm) => (low === high ? SHADES >> 1 : Math.min(
      SHADES - 1, Math.floor((SHADES * Math.log(norm / low)) / Math.log(high / low)))),
  };
}

function legendOf({ cells, low, high }, t) {
  const words = new Set(cells.flat().map(wordFor));
  return [
    high > 0 ? element("span", { class: "heat-scale" }, number(low),
      element("span", { class: "heat-shades", "aria-hidden": "true" },
        Array.from({ length: SHADES }, (_, shade) => element("i", { style: { background: `var(--map-${shade})` } }))),
      number(high)) : null,
    Object.keys(SIGNS).filter((word) => words.has(word)).map((word) => element("span", {},
      element("b", {}, { ...SIGNS, zero: "○", infinite: "✳" }[word]), ` ${t(word)}`)),
  ];
}
