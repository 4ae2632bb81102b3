/**
 * The drawing: what is seen of the graph, as SVG. Elements are kept as long as what they show is seen, so that things
 * move rather than jump.
 *
 * Relies on `dom.js`, `flat.js`, `layout.js`, `levels.js`, `looks.js`, `pieces.js` and `opening.js`. What marks the
 * elements (colours, selection, playing) is `marks.js`; where one looks at them from is `camera.js`.
 */

import { change, fill, svg } from "./dom.js";
import { flatten } from "./flat.js";
import { createLayout } from "./layout.js";
import { createLevels } from "./levels.js";
import { createLooks, createMeasure, textWidths } from "./looks.js";
import { itemOf, openedFor, toggle, namedBy } from "./opening.js";
import { drawFrame, drawItem, drawWire, moveFrame, moveItem, moveWire } from "./pieces.js";

/**
 * Returns the drawing of a page.
 *
 * @param {Object} context `{model, store, t}`.
 * @returns {Object} `svg`, and in it `world`, which the camera moves; `flat`, what is seen; `elements`, the element of
 * each item; `wires`, those of
 *   the arrows; `lookOf`; `subscribe`, which tells of every new layout with the box that was opened or closed for it,
 *   or null.
 */
export function createScene(context) {
  const { model, store, t } = context;
  const parts = ["frames", "wires", "items"].map((name) => svg("g", { class: name }));
  const world = svg("g", { class: "world" }, parts);
  const root = svg("svg", { class: "drawing", role: "group", "aria-label": t("drawing"), tabindex: "0" }, world);
  const [frameHost, wireHost, itemHost] = parts;
  const widthOf = textWidths();
  const machines = new Map();
  const listeners = new Set();
  const scene = {
    svg: root, world, flat: null, places: new Map(), elements: new Map(), wires: new Map(), graph: null, lookOf: null,
    subscribe: (listener) => listeners.add(listener),
    keyOf: (item) => keyOf(scene.graph, item),
    itemAt,
  };

  function machineOf(graph) {
    if (!machines.has(graph)) {
      const lookOf = createLooks(graph, t, model.text);
      const hasValues = model.traces.length > 0;
      const measure = createMeasure(lookOf, hasValues, widthOf);
      machines.set(graph, { lookOf, layoutOf: createLayout(graph, createLevels(graph), measure) });
    }
    return machines.get(graph);
  }

  function draw(state, changedBox = null) {
    const graph = model.graphOf(state);
    const { lookOf, layoutOf } = machineOf(graph);
    if (scene.graph !== graph) {
      for (const host of parts) fill(host);
      scene.elements.clear();
      scene.wires.clear();
    }
    Object.assign(scene, { graph, lookOf, flat: flatten(layoutOf(0, state.open)) });
    scene.places = new Map([...scene.flat.frames, ...scene.flat.items].map((placed) => [placed.item, placed]));
    keep(scene.elements, [
      ...scene.flat.frames.map((placed) => (
        { key: `f${placed.item}`, placed, host: frameHost, make: makeFrame, move: moveFrame }
      )),
      ...scene.flat.items.map((placed) => (
        { key: `i${placed.item}`, placed, host: itemHost, make: makeItem, move: moveItem }
      )),
    ]);
    keep(scene.wires, scene.flat.wires.map((wire) => (
      { key: wire.key, placed: wire, host: wireHost, make: () => drawWire(graph, wire), move: moveWire }
    )));
    for (const listener of listeners) listener(state, changedBox);
  }

  function makeFrame(placed) {
    return drawFrame(scene.lookOf(placed.item), keyOf(scene.graph, placed.item), t);
  }

  function makeItem(placed) {
    return drawItem(scene.lookOf(placed.item), keyOf(scene.graph, placed.item), t, placed);
  }

  function itemAt(target) {
    const found = target?.closest?.("[data-key]");
    return found ? itemOfKey(scene.graph, found.getAttribute("data-key")) : null;
  }

  listen(scene, store, root);
  store.subscribe((state, changed) => {
    if (changed.has("selected") && state.selected) reveal(state);
    if (["open", "trace", "graph"].some((name) => changed.has(name))) draw(store.get(), onlyChange(scene, store.get()));
  });

  /** Opens what must be open for the selected item to be seen. */
  function reveal(state) {
    const graph = model.graphOf(state);
    const open = openedFor(graph, state.open, itemOf(graph, state.selected));
    if (open.size !== state.open.size) store.set({ open });
  }

  scene.draw = () => draw(store.get());
  return scene;
}

/** The one box that was opened or closed since the last layout, or null. */
function onlyChange(scene, { open }) {
  const shown = new Set((scene.flat?.frames ?? []).map(({ item }) => scene.graph.boxOf(item)));
  const boxes = [...(scene.places?.keys() ?? [])].filter((item) => scene.graph.isBox(item));
  const changed = boxes.map((item) => scene.graph.boxOf(item)).filter((box) => shown.has(box) !== open.has(box));
  return changed.length ? changed[0] : null;
}

/** Makes, moves and removes elements until there's one for each of what is wanted. */
function keep(elements, wanted) {
  const gone = new Set(elements.keys());
  for (const { key, placed, host, make, move } of wanted) {
    gone.delete(key);
    let found = elements.get(key);
    if (!found) {
      found = make(placed);
      elements.set(key, found);
      move(found, placed, true);
    } else {
      move(found, placed, false);
    }
    if (found.parentNode !== host) host.append(found);
  }
  for (const key of gone) {
    elements.get(key).remove();
    elements.delete(key);
  }
}

/** "n12", "b3" or "r0": what an item is called in the document. */
export function keyOf(graph, item) {
  if (graph.isNode(item)) return `n${item}`;
  return graph.isBox(item) ? `b${graph.boxOf(item)}` : `r${graph.rootOf(item)}`;
}

function itemOfKey(graph, key) {
  const number = Number(key.slice(1));
  return { n: number, b: graph.boxItem(number), r: graph.firstRoot + number }[key[0]];
}

/** Clicks, double clicks, keys and the pointer over items. */
function listen(scene, store, root) {
  const isSign = (event) => Boolean(event.target.closest?.(".sign"));
  const toggleItem = (item) => {
    toggle(store, scene.graph.boxOf(item));
    scene.svg.querySelector(`[data-key="${scene.keyOf(item)}"]`)?.focus({ preventScroll: true });
  };
  change(root, {
    onclick: (event) => {
      if (root.classList.contains("dragged")) return;
      const item = scene.itemAt(event.target);
      if (item !== null && isSign(event)) toggleItem(item);
      else store.set({ selected: namedBy(scene.graph, item) });
    },
    ondblclick: (event) => {
      const item = scene.itemAt(event.target);
      if (item !== null && scene.graph.isBox(item) && !isSign(event)) toggleItem(item);
    },
    onkeydown: (event) => {
      const item = scene.itemAt(event.target);
      if (item === null || (event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
      if (event.key === "Enter" && scene.graph.isBox(item)) toggleItem(item);
      else store.set({ selected: namedBy(scene.graph, item) });
    },
    onpointerover: (event) => {
      const isInside = event.target.classList.contains("ground"); // of an open box, its header is meant
      store.set({ hovered: isInside ? null : namedBy(scene.graph, scene.itemAt(event.target)) });
    },
    onpointerleave: () => store.set({ hovered: null }),
    onfocusin: (event) => {
      if (event.target.matches(":focus-visible")) store.set({ hovered: namedBy(scene.graph, scene.itemAt(event.target)) });
    },
    onfocusout: () => store.set({ hovered: null }),
  });
}
