/**
 * Rows of the page's data, decoded: a row is a list without the nulls at its end, and `data.rows` names its fields.
 *
 * Relies on nothing.
 */

const NOT_FINITE = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/** Fields whose numbers stand for texts. */
const TEXTS = new Set(["meta", "name", "value", "variable", "view", "owner", "packed", "kind", "file", "by", "unmeasured"]);

/**
 * Returns a number of the data: one that isn't finite is a text there. Null stays null; other texts stay as well
 * (complex numbers, whole ones too large for a number).
 */
export function number(value) {
  if (value === null || value === undefined) return null;
  return typeof value === "string" && value in NOT_FINITE ? NOT_FINITE[value] : value;
}

/**
 * Returns what decodes rows: `{text, stats, saved, hook, kernel, came}`; all but `text` take a row, or null, and
 * return an object with a field for each name, null where there's nothing.
 *
 * @param {Object<string, string[]>} rows Kind of row → the names of its fields.
 * @param {function(number): (string|null)} text
 */
export function createDecoder(rows, text) {
  const decoder = (kind) => {
    const readers = rows[kind].map((name) => (name === "stats" ? stats : TEXTS.has(name) ? text : number));
    const empty = Object.fromEntries(rows[kind].map((name) => [name, null]));
    return (row) => {
      if (!row) return null;
      const found = { ...empty };
      for (let index = 0; index < row.length; index++) found[rows[kind][index]] = readers[index](row[index]);
      return found;
    };
  };
  const stats = decoder("stats");
  const [norm, nans, infs] = ["norm", "nans", "infs"].map((name) => rows.stats.indexOf(name));
  return {
    text,
    stats,
    saved: decoder("saved"),
    hook: decoder("hook"),
    kernel: decoder("kernel"),
    came: decoder("came"),
    /** Whether a row of statistics speaks of a NaN or an infinity; no object is made to find out. */
    isNotFinite: (row) => Boolean(row) && (typeof row[norm] === "string" || row[nans] > 0 || row[infs] > 0),
    /** Whether it speaks of zeros alone. */
    isZero: (row) => Boolean(row) && row[norm] === 0,
  };
}
