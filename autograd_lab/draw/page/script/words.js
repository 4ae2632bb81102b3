/**
 * What the page says, in the language that is chosen.
 *
 * Relies on nothing.
 */

/** Whether a count, which may be a text already, is one: then the text of `key one` is said, where there is one. */
const isOne = (count) => String(count) === "1";

/**
 * Returns a function from a key and values for its `{places}` to a text.
 *
 * @param {Object<string, Object<string, string>>} words Language → key → text.
 * @param {string} language
 * @returns {function(string, Object=): string}
 */
export function createWords(words, language) {
  const texts = words[language] ?? words.en;
  return (key, values = {}) => {
    const text = (isOne(values.count) ? texts[`${key} one`] : null) ?? texts[key] ?? words.en[key];
    if (text === undefined) {
      console.error(`no words for "${key}"`); // a test fails by this; a reader still sees the key
      return key;
    }
    return text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
  };
}
