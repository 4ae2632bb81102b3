/**
 * Keeps what runs in view while the backward is played.
 *
 * Relies on `player.js`, and on the camera and the places of the drawing.
 */

import { playerAt } from "./player.js";

const MARGIN = 24; // pixels

/**
 * Has the camera follow the node that runs. It moves only when the node, or the closed box around it, is out of view; where
 * there's room for the whole drawing, when some of that is.
 */
export function follow({ model, store, scene, camera }) {
  function look(state) {
    const { current } = playerAt(model.traceAt(state) ?? model.graphOf(state), state.step);
    const place = current === null ? null : scene.places.get(scene.graph.shownFor(current, state.open));
    if (!place) return;
    const { width, height } = camera.size();
    const { scale, x, y } = camera.view;
    const { flat } = scene;
    const fits = Math.max(flat.width * scale - width, flat.height * scale - height) <= -2 * MARGIN;
    const wanted = fits ? { x: 0, y: 0, width: flat.width, height: flat.height } : place;
    const [right, down] = [needed(wanted.x, wanted.width, x, width), needed(wanted.y, wanted.height, y, height)];
    const up = covered(place, x + right, y + down);
    if (right || down || up) camera.pan(right, down - up, true);
  }

  /** How far something must go up to stand clear of the legend. */
  function covered(place, x, y) {
    const { scale } = camera.view;
    const legend = camera.covered();
    const below = (place.y + place.height) * scale + y + MARGIN - (camera.size().height - legend.height);
    return place.x * scale + x < legend.width ? Math.max(0, below) : 0;
  }

  /** How far to move in one direction so that something is in the middle; 0 where it's in view. */
  function needed(from, length, offset, room) {
    const { scale } = camera.view;
    const start = from * scale + offset;
    const end = start + length * scale;
    return start < MARGIN || end > room - MARGIN ? (room - start - end) / 2 : 0;
  }

  store.subscribe((state, changed) => {
    if (changed.has("step") && state.step !== null) look(state);
  });
}
