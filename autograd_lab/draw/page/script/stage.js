/**
 * The stage: the drawing with its camera, its legend, its map and the buttons for zooming.
 *
 * Relies on `camera.js`, `colours.js`, `keys.js`, `marks.js`, `minimap.js` and `scene.js`.
 */

import { createCamera } from "./camera.js";
import { mountLegend } from "./colours.js";
import { change, element, fill } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { createMarks } from "./marks.js";
import { mount as mountMap } from "./minimap.js";
import { createScene } from "./scene.js";

/**
 * Builds the stage.
 *
 * @returns {{scene: Object, camera: Object, marks: Object, legend: Element}} What other parts ask for what is seen.
 */
export function mountStage(host, context) {
  const { t } = context;
  const scene = createScene(context);
  const [legend, map] = [element("div"), element("div")];
  const camera = createCamera(scene, { ...context, covered: () => coveredBy(legend, scene.svg) });
  const marks = createMarks(scene, context);
  const button = (key, sign, onclick) => element("button", { type: "button", title: t(key), "aria-label": t(key), onclick }, sign);
  const zoom = element("div", { class: "zoom", role: "group", "aria-label": t("zoom") },
    button("zoom in", "+", () => camera.zoom(1.25, undefined, true)),
    button("zoom out", "−", () => camera.zoom(0.8, undefined, true)),
    button("show all", "⤢", () => camera.fit(false, true)));
  change(host, { "aria-label": t("graph") });
  fill(host, scene.svg, legend, element("div", { class: "corner" }, map, zoom));
  listenToKeys(scene, camera, context);
  scene.draw();
  const parts = { ...context, scene, camera, marks };
  mountLegend(legend, parts);
  mountMap(map, parts);
  return { scene, camera, marks, legend };
}

/** How much of the stage's lower left corner the legend covers. */
function coveredBy(legend, stage) {
  const [inner, outer] = [legend.getBoundingClientRect(), stage.getBoundingClientRect()];
  if (!inner.height) return { width: 0, height: 0 };
  return { width: inner.right - outer.left, height: outer.bottom - inner.top };
}
