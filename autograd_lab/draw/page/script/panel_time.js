/**
 * The panel of time by module: a bar for each, the longest first.
 *
 * Relies on `times.js`, `scale.js` and `virtual.js`.
 */

import { count, duration, percent } from "./digits.js";
import { element, fill } from "./dom.js";
import { selectionOf, whileShown } from "./panel.js";
import { createRows } from "./virtual.js";
import { linearAxis } from "./scale.js";
import { moduleTimes } from "./times.js";

export const KEY = "time";
const HEIGHT = 22;

/** Builds the panel. */
export function mount(host, { model, store, t }) {
  let rows = []; // those that are shown, in their order
  let known = 0;
  let axis = null;
  let by = "self";

  const choices = ["self", "total"].map((key) => element("button", {
    class: "panel-choice", type: "button", "aria-pressed": String(key === by), onclick: () => choose(key),
  }, t(`${key} time`)));
  const note = element("span", { class: "panel-note" });
  const ticks = element("div", { class: "bars-ticks", "aria-hidden": "true" });
  const list = createRows({ height: HEIGHT, make, attributes: { role: "list", "aria-label": t("time panel") } });
  const head = element("div", { class: "bars-head" }, element("span"), ticks, element("span"));
  const body = element("div", { class: "bars" }, head, list.element);
  fill(host, element("div", { class: "panel-head" }, choices, note), body);

  function choose(key) {
    by = key;
    choices.forEach((choice, at) => choice.setAttribute("aria-pressed", String(["self", "total"][at] === key)));
    draw(store.get());
  }

  function draw(state) {
    const trace = model.traceAt(state);
    const found = trace ? moduleTimes(trace) : { rows: [], known: 0 };
    ({ known } = found);
    rows = found.rows.filter((each) => each[by].nodes.length > 0).sort((one, other) => other[by].time - one[by].time);
    body.hidden = !rows.length;
    for (const choice of choices) choice.hidden = !rows.length;
    if (!rows.length) {
      note.textContent = t(trace ? "no times" : "not run");
      return;
    }
    const whole = trace.totalNs === null ? duration(known) : t("of which nodes", {
      nodes: duration(known), total: duration(trace.totalNs) });
    note.textContent = `${t("modules count", { count: rows.length })} · ${whole}`;
    axis = linearAxis(rows[0][by].time);
    fill(ticks, axis.ticks.map(({ at, value }) => element("span", { style: { left: `${100 * at}%` } }, duration(value))));
    list.show(rows.length);
  }

  function many(nodes) {
    return t("nodes count", { count: count(nodes) });
  }

  function make(index) {
    const { path, self } = rows[index];
    const { time, nodes } = rows[index][by];
    const name = path === null ? t("no module") : path === "" ? t("the model") : path;
    const text = `${duration(time)} · ${percent(time / known)} · ${many(nodes.length)}`;
    return element("div", { class: "bars-row", role: "listitem" },
      element("button", {
        class: "bars-name", type: "button", title: name, "aria-label": `${name}: ${text}`,
        onclick: () => store.set({ selected: selectionOf(model.graphOf(store.get()), nodes) }),
      }, element("bdi", {}, name)),
      element("div", { class: "bars-track" },
        axis.ticks.map(({ at }) => element("i", { class: "bars-line", style: { left: `${100 * at}%` } })),
        by === "self" ? null : element("div", { class: "bars-bar inner", style: { width: `${100 * axis.at(time)}%` } }),
        element("div", { class: "bars-bar", style: { width: `${100 * axis.at(self.time)}%` } })),
      element("span", { class: "bars-value" }, text));
  }

  whileShown(store, KEY, ["trace", "graph", "language"], draw);
}
