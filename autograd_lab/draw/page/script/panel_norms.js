/**
 * The panel of gradient norms by layer: a bar for each parameter, or for each layer of a large model.
 *
 * Relies on `norms.js`, `scale.js` and `virtual.js`. A bar's length is its norm on a logarithmic scale; what is zero, not
 * finite or missing has no bar but a sign and a word.
 */

import { count, number } from "./digits.js";
import { element, fill } from "./dom.js";
import { SIGNS, UNMEASURED, normsOf, together, wordFor } from "./norms.js";
import { selectionOf, whileShown } from "./panel.js";
import { createRows } from "./virtual.js";
import { logAxis } from "./scale.js";

export const KEY = "norms";
const MOST = 60; // rows; with more parameters, those of one layer are taken together
const HEIGHT = 22;

/** Builds the panel; see PAGE's context. */
export function mount(host, { model, store, t }) {
  let rows = [];
  let axis = null;
  let each = false; // a row for each parameter, however many

  const toggle = element("button", {
    class: "panel-choice", type: "button", "aria-pressed": "false",
    onclick: () => {
      each = !each;
      toggle.setAttribute("aria-pressed", String(each));
      draw(store.get());
    },
  }, t("each parameter"));
  const note = element("span", { class: "panel-note" });
  const ticks = element("div", { class: "bars-ticks", "aria-hidden": "true" });
  const list = createRows({ height: HEIGHT, make, attributes: { role: "list", "aria-label": t("norms panel") } });
  const head = element("div", { class: "bars-head" }, element("span"), ticks, element("span"));
  const body = element("div", { class: "bars" }, head, list.element);
  fill(host, element("div", { class: "panel-head" }, toggle, note), body);

  function draw(state) {
    const trace = model.traceAt(state);
    const all = trace ? normsOf(trace) : [];
    body.hidden = !all.length;
    toggle.hidden = all.length <= MOST;
    if (!all.length) {
      note.textContent = t(trace ? "no leaf" : "not run");
      return;
    }
    rows = each ? all : together([all], MOST)[0];
    note.textContent = summary(all);
    axis = logAxis(rows.map(({ norm }) => norm));
    fill(ticks, axis.ticks.map(({ at, text }) => element("span", { style: { left: `${100 * at}%` } }, text)));
    list.show(rows.length);
  }

  function summary(all) {
    const counts = new Map();
    for (const word of all.map(({ norm }) => wordFor(norm))) if (word) counts.set(word, (counts.get(word) ?? 0) + 1);
    const parts = [...counts].map(([word, times]) => `${SIGNS[word]} ${t(word)}: ${times}`);
    const [least] = rows.filter(({ norm }) => wordFor(norm) === null).sort((one, other) => one.norm - other.norm);
    if (least) parts.push(t("smallest norm", { name: least.name, norm: number(least.norm) }));
    return [t("parameters count", { count: count(all.length) }), ...parts].join(" · ");
  }

  function make(index) {
    const { name, norm, nodes } = rows[index];
    const word = wordFor(norm);
    const text = word ? `${SIGNS[word]} ${t(word)}` : number(norm);
    const state = store.get();
    const graph = model.graphOf(state);
    const selected = nodes.includes(state.selected?.node);
    return element("div", { class: "bars-row", role: "listitem" },
      element("button", {
        class: selected ? "bars-name selected" : "bars-name", type: "button", title: name, disabled: !nodes.length,
        "aria-label": `${name}: ${text}`, "aria-current": selected ? "true" : null,
        onclick: () => store.set({ selected: selectionOf(graph, nodes) }),
      }, element("bdi", {}, name)),
      element("div", { class: "bars-track" },
        axis.ticks.map(({ at }) => element("i", { class: "bars-line", style: { left: `${100 * at}%` } })),
        word ? null : element("div", { class: "bars-bar", style: { width: `${100 * axis.at(norm)}%` } }),
        word ? element("span", { class: `bars-word ${isLow(norm) ? "low" : "high"}` }, text) : null),
      element("span", { class: "bars-value" }, word ? "" : text));
  }

  whileShown(store, KEY, ["trace", "graph", "selected", "language"], draw);
}

/** Whether what has no place on the axis is shown at its lower end. */
function isLow(norm) {
  return norm === null || norm === UNMEASURED || norm === 0;
}
