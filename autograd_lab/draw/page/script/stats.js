/**
 * What can be said of gradients in a few numbers.
 *
 * Relies on nothing. Statistics are as `decode.js` decodes them: `{meta, norm, max_abs, mean, zeros, nans, infs,
 * unmeasured}`.
 */

/**
 * Returns the 2-norm of several gradients taken together; null where none has one.
 *
 * @param {(Object|null)[]} all
 */
export function jointNorm(all) {
  const norms = all.filter((stats) => stats && typeof stats.norm === "number").map((stats) => stats.norm);
  return norms.length ? Math.hypot(...norms) : null;
}

/** Returns how many elements a text like "f32[2,3]" speaks of; null where a size isn't a number. */
export function elementsOf(meta) {
  const inside = /\[(.*)\]$/.exec(meta ?? "");
  if (!inside) return null;
  const product = inside[1] === "" ? 1 : inside[1].split(",").reduce((total, size) => total * Number(size), 1);
  return Number.isFinite(product) ? product : null;
}
