/**
 * From where the drawing is looked at: panning and zooming by mouse, trackpad, touch and keys, and finding an item.
 *
 * Relies on `dom.js` and `opening.js`. Promises that what is opened or closed stays where it is on the screen, but for
 * as far as it must go to the side to be seen.
 */

import { change, oncePerFrame } from "./dom.js";
import { itemOf } from "./opening.js";

const LEAST = 0.02;
const MOST = 4;
const LEGIBLE = 0.8;
const BARELY = 0.6; // at the beginning a drawing is seen whole if that makes it no smaller; else it begins at the top
const MARGIN = 28;
const FOOT = 76; // below, for the buttons and a small legend
const STILL = 5; // pixels that a pointer may move in a click
const MOVE_MS = 180; // as in page.css
const MOVED_AT_MOST = 250; // items and arrows: more take longer to move than people wait

/**
 * Returns the camera of a scene.
 *
 * @param {Object} scene From `createScene`.
 * @param {Object} context `{store, signal, covered}`: `covered()` is the size of what lies over the lower left corner.
 */
export function createCamera(scene, { store, signal, covered }) {
  const { svg: root, world } = scene;
  let view = { x: 0, y: 0, scale: 1 };
  let places = new Map();
  let graph = null;
  let settled = null;
  let fitted = null; // how all was shown, as long as nobody has moved since
  const listeners = new Set();
  const tell = oncePerFrame(() => listeners.forEach((listener) => listener(view)));
  const size = () => ({ width: root.clientWidth, height: root.clientHeight });

  function set(next, isMove = false) {
    view = next;
    fitted = null;
    if (isMove) moving();
    world.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    tell();
  }

  /** Has everything move together for a moment, rather than jump. */
  function moving() {
    if (scene.flat.items.length + scene.flat.wires.length > MOVED_AT_MOST) return;
    root.classList.add("moving");
    clearTimeout(settled);
    settled = setTimeout(() => root.classList.remove("moving"), MOVE_MS);
  }

  function zoom(factor, at = { x: size().width / 2, y: size().height / 2 }, isMove = false) {
    const scale = Math.min(MOST, Math.max(LEAST, view.scale * factor));
    const by = scale / view.scale;
    set({ scale, x: at.x - (at.x - view.x) * by, y: at.y - (at.y - view.y) * by }, isMove);
  }

  function pan(x, y, isMove = false) {
    set({ ...view, x: view.x + x, y: view.y + y }, isMove);
  }

  /** Shows all; `legibly` rather begins at the top than makes it too small to read. */
  function fit(legibly = false, isMove = false) {
    const { width, height } = size();
    const { flat } = scene;
    const whole = Math.min((width - 2 * MARGIN) / flat.width, (height - MARGIN - FOOT) / flat.height, 1.25);
    const scale = Math.max(LEAST, legibly && whole < BARELY ? LEGIBLE : whole);
    const root_ = flat.items.find(({ item }) => scene.graph.isRoot(item));
    const fits = flat.width * scale <= width - MARGIN;
    const rest = height - flat.height * scale - MARGIN - FOOT;
    const y = MARGIN + Math.max(0, rest / 2);
    const middle = (fits ? beside(flat.width * scale, y + flat.height * scale) : 0) + width / 2;
    const x = middle - (fits || !root_ ? flat.width / 2 : root_.x + root_.width / 2) * scale;
    set({ scale, x, y }, isMove);
    if (width > 0) fitted = { legibly };
  }

  /** How far a drawing must go from the middle to the right to stand clear of the legend; 0 where it needn't or can't. */
  function beside(wide, bottom) {
    const { width, height } = size();
    const legend = covered();
    if (bottom <= height - legend.height || (width - wide) / 2 >= legend.width) return 0;
    const room = width - legend.width - wide - MARGIN;
    return room < MARGIN ? 0 : legend.width + (room + MARGIN) / 2 - (width - wide) / 2;
  }

  /** Brings an item into view, if it isn't there yet. */
  function show(item) {
    const place = scene.places.get(item);
    if (!place) return;
    const { width, height } = size();
    const scale = view.scale < 0.35 ? 1 : view.scale;
    const [left, top] = [place.x * view.scale + view.x, place.y * view.scale + view.y];
    const [wide, high] = [place.width * view.scale, Math.min(place.height * view.scale, height / 2)];
    const edge = MARGIN / 2;
    const legend = covered();
    const isCovered = left < legend.width && top + high > height - legend.height;
    const room = width - 2 * MARGIN;
    const middle = place.width * scale > room ? middleInside(item) : place.x + place.width / 2;
    const isSeen = left > edge && top > edge && left + wide < width - edge && top + high < height - edge && !isCovered;
    if (isSeen && scale === view.scale) return;
    const tall = Math.min(place.height, (height - 2 * MARGIN) / scale);
    set({
      scale,
      x: width / 2 - middle * scale,
      y: height / 2 - (place.y + tall / 2) * scale,
    }, true);
  }

  /** The middle of what stands first in an open box: of a wide one, that is worth seeing. */
  function middleInside(item) {
    let at = item;
    while (scene.graph.isBox(at)) {
      const first = scene.graph.childrenOf(scene.graph.boxOf(at))[0];
      if (!scene.places.has(first)) break;
      at = first;
    }
    const { x, width } = scene.places.get(at);
    return x + width / 2;
  }

  scene.subscribe((state, changedBox) => {
    const before = places;
    places = new Map(scene.places);
    if (graph !== scene.graph) {
      graph = scene.graph;
      fit(true);
      return;
    }
    const item = changedBox === null ? middleItem(before) : graph.boxItem(changedBox);
    const [old, now] = [before.get(item), places.get(item)];
    if (!old || !now) return;
    const [x, y] = [(old.x - now.x) * view.scale, (old.y - now.y) * view.scale];
    pan(x + (changedBox === null ? 0 : aside(now, view.x + x)), y, true);
  });

  /** How far to the side what was opened must go to be seen from side to side, where it can be. */
  function aside(place, offset) {
    const room = size().width - MARGIN;
    const left = place.x * view.scale + offset;
    const right = left + place.width * view.scale;
    if (right > room) return Math.min(0, Math.max(room - right, MARGIN - left));
    return left < MARGIN && right > 0 ? Math.min(MARGIN - left, room - right) : 0;
  }

  /** The item nearest to the middle of what was seen. */
  function middleItem(before) {
    const { width, height } = size();
    const [x, y] = [(width / 2 - view.x) / view.scale, (height / 2 - view.y) / view.scale];
    let [nearest, least] = [null, Infinity];
    for (const [item, place] of before) {
      const far = Math.hypot(place.x + place.width / 2 - x, place.y + place.height / 2 - y);
      if (far < least && places.has(item)) [nearest, least] = [item, far];
    }
    return nearest;
  }

  store.subscribe((state, changed) => {
    if (changed.has("selected") && state.selected) {
      requestAnimationFrame(() => {
        if (store.get().selected === state.selected) show(itemOf(scene.graph, state.selected));
      });
    }
  });
  let known = null;
  const observer = new ResizeObserver(() => {
    const now = size();
    if (fitted || !known?.width) {
      if (now.width && scene.flat && store.get().selected === null) fit(fitted?.legibly ?? true);
    } else if (now.width) {
      pan((now.width - known.width) / 2, 0);
    }
    known = now;
  });
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
  byPointer(root, { pan, zoom });

  return {
    fit, zoom, pan, show, set,
    get view() { return view; },
    size,
    covered,
    subscribe: (listener) => listeners.add(listener),
  };
}

/** Dragging, the wheel, and two fingers. */
function byPointer(root, { pan, zoom }) {
  const held = new Map();
  let isDragged = false;
  const at = (event) => {
    const { left, top } = root.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const between = () => {
    const [one, other] = [...held.values()];
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: Math.hypot(one.x - other.x, one.y - other.y) || 1 };
  };
  function end(event) {
    held.delete(event.pointerId);
    if (!held.size) setTimeout(() => root.classList.toggle("dragged", false));
  }
  change(root, {
    onpointerdown: (event) => {
      if (event.button !== 0) return;
      if (!held.size) isDragged = false;
      held.set(event.pointerId, at(event));
    },
    onpointermove: (event) => {
      const from = held.get(event.pointerId);
      if (!from) return;
      const to = at(event);
      if (!isDragged && held.size === 1 && Math.hypot(to.x - from.x, to.y - from.y) < STILL) return;
      isDragged = true;
      root.classList.add("dragged");
      if (!root.hasPointerCapture(event.pointerId)) root.setPointerCapture(event.pointerId);
      if (held.size === 1) {
        pan(to.x - from.x, to.y - from.y);
        held.set(event.pointerId, to);
        return;
      }
      const before = between();
      held.set(event.pointerId, to);
      const after = between();
      pan(after.x - before.x, after.y - before.y);
      zoom(after.apart / before.apart, after);
    },
    onpointerup: end,
    onpointercancel: end,
  });
  root.addEventListener("wheel", (event) => {
    event.preventDefault();
    const unit = [1, 16, root.clientHeight][event.deltaMode];
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY * unit)) * 0.01), at(event));
    else if (event.shiftKey && !event.deltaX) pan(-event.deltaY * unit, 0);
    else pan(-event.deltaX * unit, -event.deltaY * unit);
  }, { passive: false });
}
