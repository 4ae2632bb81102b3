/**
 * What is marked in the drawing: colours and numbers, what is selected, the paths from what is pointed at, and how far
 * a backward that is played has come.
 *
 * Relies on `dom.js`, `measures.js`, `opening.js` and `reach.js`. Marks are classes, so that `drawing.css` alone says
 * how they look.
 */

import { change, oncePerFrame } from "./dom.js";
import { createMeasures, groupOf, huesOf, isNumeric, scaleOf, spreadText, stepOf } from "./measures.js";
import { itemOf } from "./opening.js";
import { pathsFrom } from "./reach.js";

const SIGNS = { running: "▶", failed: "⚠", ready: "●", filling: "◐", done: "✓" };

/**
 * Has the marks follow the state; returns `{measures, legend}`, which the legend and the card read.
 *
 * @param {Object} scene
 * @param {Object} context `{model, store, t, playerAt}`.
 */
export function createMarks(scene, { model, store, t, playerAt }) {
  const known = new Map();
  const listeners = new Set();
  const marks = {
    scale: null,
    hues: null,
    measures: () => measuresOf(store.get()),
    subscribe: (listener) => listeners.add(listener),
  };

  function measuresOf(state) {
    const key = model.traceAt(state) ?? model.graphOf(state);
    if (!known.has(key)) known.set(key, createMeasures(model.graphOf(state), model.traceAt(state)));
    return known.get(key);
  }

  function paint(state) {
    const measures = measuresOf(state);
    const closed = scene.flat.items.map(({ item }) => item);
    const values = new Map(closed.map((item) => [item, measures.valueOf(state.colour, item)]));
    if (state.colour === "module") {
      const level = levelOf(values);
      for (const [item, path] of values) values.set(item, groupOf(path, level));
    }
    marks.scale = isNumeric(state.colour) ? scaleOf(closed.map((item) => values.get(item))) : null;
    marks.hues = isNumeric(state.colour) || state.colour === "kind" ? null : huesOf(closed.map((item) => values.get(item)));
    marks.steps = new Set();
    const shown = isNumeric(state.colour) ? state.colour : "norm";
    for (const { item } of scene.flat.items) {
      const found = scene.elements.get(`i${item}`);
      mark(found, "heat", heatOf(state.colour, values.get(item), scene.graph.isRoot(item)));
      mark(found, "hue", marks.hues && values.get(item) !== null ? marks.hues.get(values.get(item)) : null);
      found.classList.toggle("tinted", found.dataset.hue !== undefined || /^\d$/.test(found.dataset.heat ?? ""));
      number(found, item, shown, measures);
    }
    for (const listener of listeners) listener(state);
  }

  function heatOf(colour, value, isRoot) {
    if (!isNumeric(colour) || isRoot) return null;
    const step = stepOf(marks.scale, value);
    marks.steps.add(step);
    return step;
  }

  function number(found, item, measure, measures) {
    const line = found.querySelector(".value");
    if (!line) return;
    const value = measures.valueOf(measure, item);
    const text = measure === "norm" ? gradientText(item, value, measures) : (measures.textOf(measure, value) ?? "");
    if (line.textContent !== text) line.textContent = text;
    line.classList.toggle("wild", typeof value === "number" && !Number.isFinite(value));
  }

  /** A gradient in a word: its norm, or on a page of single numbers the number itself. */
  function gradientText(item, norm, measures) {
    if (norm === null) return "";
    const spread = measures.spreadOf(item);
    if (spread) return `‖g‖ ${spreadText(spread)}`;
    const isNumber = scene.graph.columns.scalar && scene.graph.isNode(item);
    const mean = isNumber ? model.traceAt(store.get()).gradOutputs(item)[0].mean : null;
    if (mean === null) return `‖g‖ ${measures.textOf("norm", norm)}`;
    return t("gradient is", { value: measures.textOf("norm", mean) });
  }

  function choose(state) {
    const item = itemOf(scene.graph, state.selected);
    for (const [key, found] of scene.elements) {
      const isSelected = Number(key.slice(1)) === item;
      found.classList.toggle("selected", isSelected);
      change(found, { "aria-pressed": isSelected ? "true" : null });
    }
  }

  function trail(state) {
    const item = itemOf(scene.graph, state.hovered);
    const isOn = item !== null && item !== scene.graph.boxItem(0);
    scene.svg.classList.toggle("trailing", isOn);
    if (!isOn) return;
    const { nodes, items } = pathsFrom(scene.graph, item);
    for (const [key, found] of scene.elements) found.classList.toggle("lit", items.has(Number(key.slice(1))));
    for (const wire of scene.flat.wires) {
      const isLit = wire.edges.some((edge) => nodes.has(scene.graph.tailOf(edge)));
      scene.wires.get(wire.key).classList.toggle("lit", isLit);
    }
  }

  function play(state) {
    const player = state.step === null ? null : playerAt(model.traceAt(state) ?? scene.graph, state.step);
    scene.svg.classList.toggle("playing", player !== null);
    const current = player ? player.current : null;
    for (const { item } of [...scene.flat.items, ...scene.flat.frames]) {
      const found = scene.elements.get(`i${item}`) ?? scene.elements.get(`f${item}`);
      mark(found, "status", player ? statusOf(scene.graph, player, item, current) : null);
      const sign = found.querySelector(".mark");
      if (sign) sign.textContent = SIGNS[found.dataset.status] ?? "";
    }
    for (const wire of scene.flat.wires) {
      const isRunning = player !== null && wire.edges.some((edge) => scene.graph.tailOf(edge) === current);
      scene.wires.get(wire.key).classList.toggle("running", isRunning);
    }
  }

  const trailSoon = oncePerFrame(() => trail(store.get()));
  scene.subscribe((state) => {
    paint(state);
    choose(state);
    play(state);
    trail(state);
  });
  store.subscribe((state, changed) => {
    if (changed.has("open") || changed.has("trace") || changed.has("graph")) return; // the scene tells of these
    if (changed.has("colour")) paint(state);
    if (changed.has("selected")) choose(state);
    if (changed.has("hovered")) trailSoon();
    if (changed.has("step")) play(state);
  });
  return marks;
}

/** Sets one class of a family, and the attribute of that name. */
function mark(found, family, value) {
  if ((found.dataset[family] ?? null) === (value === null || value === undefined ? null : String(value))) return;
  if (found.dataset[family] !== undefined) found.classList.remove(`${family}-${found.dataset[family]}`);
  if (value === null || value === undefined) {
    delete found.dataset[family];
  } else {
    found.dataset[family] = String(value);
    found.classList.add(`${family}-${value}`);
  }
}

/** How far a node has come; a box is done when all in it is, and runs while something in it does. */
function statusOf(graph, player, item, current) {
  if (graph.isRoot(item)) return null;
  if (graph.isNode(item)) return player.status(item);
  const box = graph.boxOf(item);
  if (current !== null && graph.pathOf(current).includes(box)) return player.status(current);
  const { first, last } = graph.box(box);
  const [begin, end] = [player.status(first), player.status(last)];
  if (begin === "done" && end === "done") return "done";
  return begin === "done" || begin === "filling" || begin === "ready" ? "filling" : begin;
}

/** The fewest parts of module paths that tell several groups apart. */
function levelOf(values) {
  const paths = [...new Set(values.values())].filter((path) => path !== null);
  for (let level = 1; level < 6; level++) {
    const groups = new Set(paths.map((path) => groupOf(path, level)));
    if (groups.size > 2 || groups.size === paths.length) return level;
  }
  return 6;
}
