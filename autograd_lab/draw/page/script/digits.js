/**
 * Numbers as people write them: the same texts as `draw/digits.py` makes.
 *
 * Relies on nothing.
 */

const SIGNS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** Writes an exponent above the line. */
export function superscript(text) {
  return [...text.replace("−", "-")].map((sign) => SIGNS[sign] ?? sign).join("");
}

/** Writes a number: four significant digits, whole ones below a million in full, a true minus sign. */
export function number(value) {
  if (Number.isNaN(value)) return "nan";
  const sign = value < 0 ? "−" : "";
  const size = Math.abs(value);
  if (size === Infinity) return `${sign}∞`;
  if (Number.isInteger(size) && size < 1e6) return `${sign}${size}`;
  const [mantissa, exponent] = significant(size, 4);
  const power = Number(exponent);
  if (power < -4 || power >= 4) return `${sign}${Number(mantissa)}×10${superscript(String(power))}`;
  return `${sign}${Number(`${mantissa}e${power}`)}`;
}

/** Writes a number of bytes with a binary unit. */
export function nbytes(count) {
  return bytes(count, 4);
}

/** Writes a number of bytes with fewer digits: rounded in its unit, of which each is 1024 of the one below. */
export function fewBytes(count) {
  return bytes(count, 3);
}

function bytes(count, digits) {
  let size = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (size < 1024) return `${short(size, digits)} ${unit}`;
    size /= 1024;
  }
  return `${short(size, digits)} TiB`;
}

/** Writes nanoseconds as milliseconds, or in a unit that fits. */
export function duration(nanoseconds) {
  const [size, unit] = nanoseconds < 1e6 ? [nanoseconds / 1e3, "µs"]
    : nanoseconds < 1e9 ? [nanoseconds / 1e6, "ms"] : [nanoseconds / 1e9, "s"];
  return `${short(size, 3)} ${unit}`;
}

/** Writes a share of one in percent. */
export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** Writes a count with commas. */
export function count(number_) {
  return number_.toLocaleString("en-US");
}

function short(size, digits = 4) {
  const [mantissa, exponent] = significant(size, digits);
  return String(Number(`${mantissa}e${exponent}`));
}

/** Rounds as Python does: to the even digit where a number lies just between two. Returns mantissa and exponent. */
function significant(size, digits) {
  const [mantissa, exponent] = size.toExponential(digits - 1).split("e");
  const [exact] = size.toExponential(digits + 40).split("e");
  const rest = exact.slice(digits + 1);
  const odd = Number(exact[digits === 1 ? 0 : digits]) % 2 === 1;
  if (/^50*$/.test(rest) && !odd) return [exact.slice(0, digits + 1), exponent];
  return [mantissa, exponent];
}
