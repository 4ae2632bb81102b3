/**
 * The keyboard in the drawing: arrows pan, + and − zoom, 0 shows all, Shift and an arrow go to the next box, /
 * searches.
 *
 * Relies on `opening.js`. What is met by Shift and an arrow is selected, so that the card and the focus agree. Promises
 * that one item, and only one, is met by Tab.
 */

import { itemOf, namedBy } from "./opening.js";

const STEP = 80; // pixels

const WAYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/**
 * Has a scene listen to the keyboard.
 *
 * @param {Object} scene
 * @param {Object} camera
 * @param {Object} context `{store, signal}`.
 */
export function listenToKeys(scene, camera, { store, signal }) {
  const { svg: root } = scene;
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = WAYS[event.key];
    const done = way ? (event.shiftKey ? goTo(way) : panBy(way)) : ACTIONS[event.key]?.();
    if (done !== undefined || event.key in ACTIONS || way) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    const field = document.querySelector("#top input[type=search]");
    if (!field) return;
    event.preventDefault();
    field.focus();
  }, { signal });
  const ACTIONS = {
    "+": () => camera.zoom(1.25, undefined, true),
    "=": () => camera.zoom(1.25, undefined, true),
    "-": () => camera.zoom(0.8, undefined, true),
    "−": () => camera.zoom(0.8, undefined, true),
    0: () => camera.fit(false, true),
    Escape: () => store.set({ selected: null }),
  };

  function panBy([x, y]) {
    camera.pan(-x * STEP, -y * STEP, true);
  }

  /** Moves the focus to the nearest item on one side. */
  function goTo([x, y]) {
    const at = scene.itemAt(document.activeElement) ?? itemOf(scene.graph, store.get().selected);
    const from = scene.places.get(at ?? -1);
    const next = from ? nearest(scene, from, x, y) : first(scene);
    if (next === null) return;
    focusOn(scene, next);
    camera.show(next);
    if (!scene.graph.isRoot(next)) store.set({ selected: namedBy(scene.graph, next) });
  }

  /** One item has its place in the order of Tab: the one that was met last, or the first. */
  root.addEventListener("focusin", (event) => {
    const item = scene.itemAt(event.target);
    if (item !== null) rove(scene, item);
  });
  store.subscribe((state, changed) => {
    const item = itemOf(scene.graph, state.selected);
    if (changed.has("selected") && elementOf(scene, item)) rove(scene, item);
  });
  scene.subscribe(() => {
    const known = root.querySelector('[data-key][tabindex="0"]');
    if (!known) rove(scene, first(scene));
  });
}

function rove(scene, item) {
  for (const other of scene.svg.querySelectorAll('[data-key][tabindex="0"]')) other.setAttribute("tabindex", "-1");
  if (item !== null) elementOf(scene, item).setAttribute("tabindex", "0");
}

/** Moves the focus to an item. */
export function focusOn(scene, item) {
  elementOf(scene, item)?.focus({ preventScroll: true });
}

function elementOf(scene, item) {
  return scene.elements.get(`i${item}`) ?? scene.elements.get(`f${item}`);
}

function first(scene) {
  return scene.flat.items[0]?.item ?? null;
}

function nearest(scene, from, x, y) {
  const middle = (place) => [place.x + place.width / 2, place.y + Math.min(13, place.height / 2)];
  const [fromX, fromY] = middle(from);
  let [found, least] = [null, Infinity];
  for (const [item, place] of scene.places) {
    const [toX, toY] = middle(place);
    const ahead = (toX - fromX) * x + (toY - fromY) * y;
    const aside = Math.abs((toX - fromX) * y) + Math.abs((toY - fromY) * x);
    if (ahead <= 1 || ahead + 2 * aside >= least) continue;
    [found, least] = [item, ahead + 2 * aside];
  }
  return found;
}

function isWriting(target) {
  return Boolean(target.closest?.("input, textarea, select, [contenteditable]"));
}
