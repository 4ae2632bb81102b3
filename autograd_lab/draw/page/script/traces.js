/**
 * The choice of a backward, where the page has several.
 *
 * Relies on `dom.js`.
 */

import { element, fill } from "./dom.js";

/** Builds a choice; nothing where there is one backward or none. */
export function mount(host, { model, store, t }) {
  const choice = element("select", {
    class: "traces-choice", "aria-label": t("backward"), onchange: () => choose(Number(choice.value)),
  });
  const step = (by, sign, key) => element("button", {
    class: "traces-step", type: "button", "aria-label": t(key), title: t(key), onclick: () => choose(store.get().trace + by),
  }, sign);
  const [before, after] = [step(-1, "‹", "backward before"), step(1, "›", "backward after")];
  fill(host, element("span", { class: "traces-label", "aria-hidden": "true" }, t("backward")), before,
    element("span", { class: "traces-sign", "aria-hidden": "true" }, "#"), choice, after);

  function choose(trace) {
    if (model.traces[trace]) store.set({ trace, graph: model.traces[trace].graphIndex, selected: kept(trace) });
  }

  /** What is selected stays so where both backwards ran on the same graph. */
  function kept(trace) {
    const { selected, trace: shown } = store.get();
    return shown !== null && model.traces[shown].graphIndex === model.traces[trace].graphIndex ? selected : null;
  }

  function draw(state) {
    host.hidden = model.traces.length < 2;
    for (let at = choice.options.length; at < model.traces.length; at += 1) {
      choice.append(element("option", { value: at }, named(model.traces[at], at)));
    }
    choice.value = String(state.trace);
    before.disabled = state.trace === 0;
    after.disabled = state.trace === model.traces.length - 1;
  }

  /** The backward's number; where several have the same, as one inside another may, also its place. */
  function named(trace, at) {
    const apart = new Set(model.traces.map((each) => each.number)).size < model.traces.length ? ` (${at})` : "";
    return `${trace.number}${apart}${trace.error === null ? "" : ` ⚠ ${t("raised short")}`}`;
  }

  store.subscribe((state) => draw(state));
  draw(store.get());
}
