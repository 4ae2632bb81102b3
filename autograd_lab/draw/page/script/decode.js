/**
 * Rows of the page's data, decoded: a row is a list without the nulls at its end, and `data.rows` names its fields.
 *
 * Relies on nothing.
 */

const NOT_FINITE = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/** Fields whose numbers stand for texts. */
const TEXTS = new Set(["meta", "name", "value", "variable", "view", "owner", "packed", "kind", "file", "by", "unmeasured"]);

/**
 * Returns a number of the data: one that isn't finite is a text there. Null stays null; other texts stay as well (complex
 * numbers, whole ones too large for a number).
 */
export function number(value) {
  if (value === null || value === undefined) return null;
  return typeof value === "string" && value in NOT_FINITE ? NOT_FINITE[value] : value;
}

/**
 * Returns what decodes rows: `{text, stats, saved, hook, kernel, came}`; all but `text` take a row, or null, and return an
 * object with a field for each name, null where there's nothing.
 *
 * @param {Object<string, string[]>} rows Kind of row → the names of its fields.
 * @param {function(number): (string|null)} text
 */
export function createDecoder(rows, text) {
  const decoder = (kind) => (row) => {
    if (!row) return null;
    const found = {};
    rows[kind].forEach((name, index) => {
      const value = row[index] ?? null;
      if (name === "stats") found[name] = stats(value);
      else found[name] = TEXTS.has(name) ? text(value) : number(value);
    });
    return found;
  };
  const stats = decoder("stats");
  return {
    text,
    stats,
    saved: decoder("saved"),
    hook: decoder("hook"),
    kernel: decoder("kernel"),
    came: decoder("came"),
  };
}
