/**
 * The whole drawing, small, with a frame around what is seen; clicking or dragging in it goes there.
 *
 * Relies on `dom.js`. What it shows is for the eye alone: everything in it can be had by keys elsewhere.
 */

import { change, element, fill, oncePerFrame } from "./dom.js";

const WIDTH = 170;
const HEIGHT = 130;
const LEAST_WIDTH = 40;

/** Builds the map. */
export function mount(host, { scene, camera, store, signal }) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  change(host, { class: "minimap" });
  fill(host, canvas);
  let scale = 1;

  const draw = oncePerFrame(() => {
    const { flat } = scene;
    if (!flat) return;
    const { view } = camera;
    const { width, height } = camera.size();
    const isAllSeen = view.x >= 0 && view.y >= 0
      && flat.width * view.scale + view.x <= width && flat.height * view.scale + view.y <= height;
    host.hidden = isAllSeen;
    if (isAllSeen) return;
    scale = Math.min(WIDTH / flat.width, HEIGHT / flat.height);
    const wide = Math.max(LEAST_WIDTH, flat.width * scale);
    const ratio = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: wide * ratio, height: flat.height * scale * ratio });
    Object.assign(canvas.style, { width: `${wide}px`, height: `${flat.height * scale}px` });
    const brush = canvas.getContext("2d");
    const colour = (name) => {
      canvas.style.color = `var(--map-${name})`; // a canvas knows no variables
      return getComputedStyle(canvas).color;
    };
    brush.scale(ratio * scale, ratio * scale);
    brush.translate((wide / scale - flat.width) / 2, 0);
    brush.lineWidth = 1 / scale;
    brush.strokeStyle = colour("frame");
    for (const frame of flat.frames) brush.strokeRect(frame.x, frame.y, frame.width, frame.height);
    brush.fillStyle = colour("item");
    for (const item of flat.items) brush.fillRect(item.x, item.y, item.width, Math.max(item.height, 1 / scale));
    brush.strokeStyle = colour("view");
    brush.lineWidth = 2 / scale;
    brush.strokeRect(-view.x / view.scale, -view.y / view.scale, width / view.scale, height / view.scale);
  });

  function go(event) {
    const { left, top, width } = canvas.getBoundingClientRect();
    const x = (event.clientX - left - (width - scene.flat.width * scale) / 2) / scale;
    const y = (event.clientY - top) / scale;
    const { view } = camera;
    const size = camera.size();
    camera.set({ ...view, x: size.width / 2 - x * view.scale, y: size.height / 2 - y * view.scale });
  }

  change(canvas, {
    onpointerdown: (event) => {
      canvas.setPointerCapture(event.pointerId);
      go(event);
    },
    onpointermove: (event) => {
      if (event.buttons) go(event);
    },
  });
  scene.subscribe(draw);
  camera.subscribe(draw);
  store.subscribe((state, changed) => {
    if (changed.has("theme")) draw();
  });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", draw, { signal });
  draw();
}
