/**
 * Gradients in a few numbers, decoded.
 *
 * Relies on nothing.
 */

const NOT_FINITE = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/**
 * Returns a number of the data: one that isn't finite is a text there. Null stays null; other texts (complex numbers) stay.
 */
export function number(value) {
  if (value === null || value === undefined) return null;
  return typeof value === "string" && value in NOT_FINITE ? NOT_FINITE[value] : value;
}

/**
 * Returns a gradient's statistics with names, or null where there are none.
 *
 * @param {Array|null} row `[meta, norm, max_abs, mean, zeros, nans, infs, unmeasured]`, trailing nulls cut.
 * @param {function(number): (string|null)} text
 */
export function statsOf(row, text) {
  if (!row) return null;
  const [meta, norm, maxAbs, mean, zeros, nans, infs, unmeasured] = row;
  return {
    meta: text(meta),
    norm: number(norm),
    maxAbs: number(maxAbs),
    mean: number(mean),
    zeros: number(zeros),
    nans: number(nans),
    infs: number(infs),
    unmeasured: text(unmeasured),
  };
}

/**
 * Returns the 2-norm of several gradients taken together; null where none has one.
 *
 * @param {(Object|null)[]} all
 */
export function jointNorm(all) {
  const norms = all.filter((stats) => stats && typeof stats.norm === "number").map((stats) => stats.norm);
  return norms.length ? Math.hypot(...norms) : null;
}

/** Returns whether a gradient holds a NaN or an infinity, as far as that is known. */
export function isNotFinite(stats) {
  if (!stats) return false;
  return stats.nans > 0 || stats.infs > 0 || (typeof stats.norm === "number" && !Number.isFinite(stats.norm));
}

/** Returns whether every element of a gradient is zero. */
export function isZero(stats) {
  return Boolean(stats) && stats.norm === 0;
}

/** Returns how many elements a text like "f32[2,3]" speaks of; null where a size isn't a number. */
export function elementsOf(meta) {
  const inside = /\[(.*)\]$/.exec(meta ?? "");
  if (!inside) return null;
  const product = inside[1] === "" ? 1 : inside[1].split(",").reduce((total, size) => total * Number(size), 1);
  return Number.isFinite(product) ? product : null;
}
