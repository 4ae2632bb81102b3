/**
 * The panel of saved memory over the backward: its stairs, and what holds the most.
 *
 * Relies on `columns.js`, `player.js` and `plot.js`. Hovering says what was held after which step; a click goes to that step.
 */

import { lineOf } from "./columns.js";
import { count, nbytes } from "./digits.js";
import { element, fill, svg } from "./dom.js";
import { onResize, whileShown } from "./panel.js";
import { playerOf } from "./player.js";
import { plot } from "./plot.js";
import { countAxis, linearAxis } from "./scale.js";

export const KEY = "memory";
const LISTED = 30; // of what is held, the largest

/** Builds the panel. */
export function mount(host, { model, store, t }) {
  const note = element("span", { class: "panel-note" });
  const chart = element("div", { class: "memory-chart" });
  const reading = element("output", { class: "memory-reading", "aria-live": "off" });
  const holders = element("ol", { class: "memory-holders" });
  const aside = element("div", { class: "memory-aside" }, element("h3", {}, t("holds most")), holders);
  const body = element("div", { class: "memory" }, element("div", { class: "memory-left" }, chart, reading), aside);
  fill(host, element("div", { class: "panel-head" }, note), body);
  let player = null;
  let drawn = null;

  function draw(state) {
    player = playerOf(model.traceAt(state) ?? model.graphOf(state));
    const { activations, parameters, held } = player.saved;
    body.hidden = !held.length;
    if (!held.length) {
      note.textContent = t("nothing saved");
      return;
    }
    note.textContent = summary(activations, parameters);
    drawStairs(activations, parameters);
    mark(state);
    fill(holders, held.slice(0, LISTED).map(holder));
  }

  function summary(activations, parameters) {
    const half = activations.findIndex((bytes) => bytes <= activations[0] / 2);
    return [
      t("activations at start", { bytes: nbytes(activations[0]) }),
      parameters[0] > 0 ? t("parameters saved", { bytes: nbytes(parameters[0]) }) : null,
      activations[0] > 0 && half > 0 ? t("half freed", { step: count(half) }) : null,
      player.planned ? t("as planned") : null,
    ].filter(Boolean).join(" · ");
  }

  function drawStairs(activations, parameters) {
    const peak = peakOf(activations);
    const most = Math.max(activations[peak], parameters[0], 1);
    drawn = plot({
      width: Math.max(280, chart.clientWidth), height: Math.max(120, chart.clientHeight),
      x: countAxis(player.length), y: linearAxis(most * 1.08, { bytes: true, ticks: 4 }),
      xLabel: t("steps axis"), yLabel: "", label: t("memory panel"),
      onHover: read, onPick: (time) => store.set({ step: time, playing: false }),
    });
    const { at, layer, labels } = drawn;
    layer.append(
      svg("path", { class: "memory-area", d: `${stairPath(activations, at)}V${at(0, 0).y}H${at(0, 0).x}Z` }),
      svg("path", { class: "memory-line", d: stairPath(activations, at) }),
      parameters[0] > 0 ? svg("path", { class: "memory-parameters", d: stairPath(parameters, at) }) : "",
      svg("circle", { class: "memory-peak", cx: at(peak, 0).x, cy: at(0, activations[peak]).y, r: 3.5 }));
    labels.append(
      svg("text", { class: "memory-peak-text", x: at(peak, 0).x + 8, y: at(0, activations[peak]).y - 5 },
        `${t("peak")} ${nbytes(activations[peak])}`));
    if (parameters[0] > 0) {
      const { x, y } = at(0, parameters[0]);
      const beside = Math.abs(y - at(0, activations[peak]).y) < 18 ? 14 : -5; // not over the peak's text
      const text = `${t("parameters needed")} ${nbytes(parameters[0])}`;
      labels.append(svg("text", { class: "memory-parameters-text", x: x + 8, y: y + beside }, text));
    }
    fill(chart, drawn.element);
  }

  function read(time) {
    if (time === null) {
      mark(store.get());
      return;
    }
    drawn.mark("hover", time);
    reading.textContent = sentence(time);
  }

  function sentence(time) {
    const state = player.at(time);
    const { activations, parameters } = state.saved;
    const node = state.current === null ? t("nothing yet") : `${player.graph.nameOf(state.current)} #${state.current}`;
    return t("held after", {
      step: count(state.time), node, activations: nbytes(activations), parameters: nbytes(parameters) });
  }

  /** Marks the step that is played. */
  function mark({ step }) {
    if (!drawn) return;
    drawn.mark("hover", null);
    drawn.mark("step", step === null ? null : player.at(step).time);
    reading.textContent = step === null ? t("hover memory") : sentence(step);
  }

  function holder(held) {
    const { node, place } = held.saved[0];
    const { graph } = player;
    const saved = graph.savedOf(node)[place];
    const about = [sharing(saved, held), held.parameter ? t("a parameter") : null, graph.moduleOf(node),
      lineOf(graph, node), ending(held)];
    return element("li", {}, element("button", {
      type: "button", onclick: () => store.set({ selected: { node } }),
    },
    element("b", {}, nbytes(held.bytes)), " ",
    element("bdi", {}, saved.variable ?? `${saved.name} · ${graph.nameOf(node)} #${node}`),
    element("small", {}, about.filter(Boolean).join(" · "))));
  }

  /** What was saved, and how much of its storage that is, with how many others. */
  function sharing({ meta, nbytes: own }, { bytes, saved }) {
    const counts = { part: own === null ? "" : nbytes(own), bytes: nbytes(bytes), count: count(saved.length) };
    const isPart = own !== null && own < bytes;
    const key = isPart ? (saved.length > 1 ? "part shared" : "part alone") : saved.length > 1 ? "shared" : null;
    return [meta, key && t(key, counts)].filter(Boolean).join(", ");
  }

  /** When it is let go of. A parameter lives on: only the graph needs it no longer. */
  function ending({ until, parameter }) {
    const isOver = until <= player.length;
    if (parameter) return isOver ? t("needed until", { step: count(until) }) : t("always needed");
    return isOver ? t("freed at", { step: count(until) }) : t("never freed");
  }

  const redraw = whileShown(store, KEY, ["trace", "graph", "language"], draw);
  onResize(chart, redraw);
  store.subscribe((state, changed) => {
    if (changed.has("step") && state.panel === KEY) mark(state);
  });
}

function peakOf(bytes) {
  let peak = 0;
  bytes.forEach((each, time) => { if (each > bytes[peak]) peak = time; });
  return peak;
}

/** A line that keeps its height from one time to the next; no more corners than there are pixels. */
function stairPath(bytes, at) {
  let path = `M${at(0, bytes[0]).x},${at(0, bytes[0]).y}`;
  let last = bytes[0];
  let pixel = -1;
  for (let time = 1; time < bytes.length; time += 1) {
    if (bytes[time] === last && time < bytes.length - 1) continue;
    const { x, y } = at(time, bytes[time]);
    if (Math.round(2 * x) === pixel && time < bytes.length - 1) continue;
    pixel = Math.round(2 * x);
    path += `H${x.toFixed(1)}V${y.toFixed(1)}`;
    last = bytes[time];
  }
  return path;
}
