/**
 * The drawer below the drawing: a tab for each panel, one of which is open or none.
 *
 * Relies on the panels. A panel is built when it's first opened.
 */

import { change, element, fill } from "./dom.js";
import * as memory from "./panel_memory.js";
import * as norms from "./panel_norms.js";
import * as steps from "./panel_steps.js";
import * as table from "./panel_table.js";
import * as time from "./panel_time.js";

const LOWEST = 120; // pixels

/** Builds the drawer. */
export function mount(host, context) {
  const { model, store, t } = context;
  const panels = [norms, memory, time, table, steps];
  const built = new Map();
  const tabs = panels.map(({ KEY }) => element("button", {
    role: "tab", id: `tab-${KEY}`, type: "button", "aria-controls": `panel-${KEY}`, class: "panels-tab",
    onclick: () => store.set({ panel: store.get().panel === KEY ? null : KEY }),
  }, t(`${KEY} panel`)));
  const bodies = panels.map(({ KEY }) => element("div", {
    role: "tabpanel", id: `panel-${KEY}`, "aria-labelledby": `tab-${KEY}`, class: `panel panel-${KEY}`, hidden: true,
  }));
  const close = element("button", {
    class: "panels-close", type: "button", "aria-label": t("close panel"), title: t("close panel"),
    onclick: () => store.set({ panel: null }),
  }, "✕");
  const handle = element("div", {
    class: "panels-handle", role: "separator", tabindex: "0", "aria-orientation": "horizontal",
    "aria-label": t("panel height"), onpointerdown: drag, onkeydown: resize,
  });
  const list = element("div", { role: "tablist", class: "panels-tabs", "aria-label": t("panels"), onkeydown: move }, tabs);
  const drawer = element("div", { class: "panels-body" }, bodies);
  fill(host, handle, element("div", { class: "panels-bar" }, list, close), drawer);

  function show({ panel }) {
    const open = panels.findIndex(({ KEY }) => KEY === panel);
    tabs[panels.indexOf(steps)].hidden = model.traces.length < 2; // more may come while a run is followed
    host.classList.toggle("open", open >= 0);
    change(handle, { hidden: open < 0 });
    change(close, { hidden: open < 0 });
    change(drawer, { hidden: open < 0 });
    panels.forEach((each, at) => {
      change(tabs[at], { "aria-selected": String(at === open), tabindex: at === Math.max(0, open) ? "0" : "-1" });
      change(bodies[at], { hidden: at !== open });
    });
    if (open < 0 || built.has(panel)) return;
    built.set(panel, true);
    panels[open].mount(bodies[open], context);
  }

  /** ← and → go from tab to tab, as in every list of tabs. */
  function move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const shown = tabs.filter((tab) => !tab.hidden);
    const at = shown.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = shown[(at + step + shown.length) % shown.length];
    next.focus();
    store.set({ panel: panels[tabs.indexOf(next)].KEY });
  }

  function setHeight(pixels) {
    const most = Math.max(LOWEST, window.innerHeight - 220);
    host.style.setProperty("--panel-height", `${Math.max(LOWEST, Math.min(most, pixels))}px`);
  }

  function drag(event) {
    const [start, height] = [event.clientY, drawer.clientHeight];
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (moved) => setHeight(height + start - moved.clientY);
    handle.onpointerup = () => { handle.onpointermove = null; };
    handle.onpointercancel = handle.onpointerup;
  }

  function resize(event) {
    const step = { ArrowUp: 24, ArrowDown: -24 }[event.key];
    if (!step) return;
    event.preventDefault();
    setHeight(drawer.clientHeight + step);
  }

  store.subscribe((state, changed) => { if (changed.has("panel") || changed.has("traces")) show(state); });
  show(store.get());
}
