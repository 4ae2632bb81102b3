/**
 * Axes: where a number lies between two ends, and which numbers are written beside an axis.
 *
 * Relies on `digits.js`.
 */
import { nbytes, number, superscript } from "./digits.js";

const SHORT = 2.5; // powers of ten on an axis, up to which numbers between them are written too

/**
 * Returns a logarithmic axis that holds every positive finite number of some, with room at both ends for words.
 * @param {number[]} values  Anything; what has no place on such an axis is left out.
 */
export function logAxis(values) {
  const there = values.filter((value) => value > 0 && value < Infinity);
  const low = Math.log10(there.length ? there.reduce((one, other) => Math.min(one, other)) : 1);
  const high = Math.log10(there.length ? there.reduce((one, other) => Math.max(one, other)) : 1);
  const room = Math.max(0.08 * (high - low), 0.3);
  const [from, to] = [low - room, high + room];
  const at = (value) => (Math.log10(value) - from) / (to - from);
  return { at, ticks: there.length ? logTicks(from, to) : [], from: 10 ** from, to: 10 ** to };
}

function logTicks(from, to) {
  const ticks = [];
  const every = Math.max(1, Math.ceil((to - from) / 8));
  const between = to - from <= SHORT ? [1, 2, 5] : [1];
  for (let power = Math.floor(from); power <= Math.ceil(to); power += 1) {
    if (between.length === 1 && power % every !== 0) continue;
    for (const digit of between) {
      const place = power + Math.log10(digit);
      if (place < from || place > to) continue;
      ticks.push({ value: digit * 10 ** power, at: (place - from) / (to - from), text: powerText(digit, power) });
    }
  }
  return ticks;
}

function powerText(digit, power) {
  if (power >= -3 && power <= 4) return number(Number(`${digit}e${power}`));
  return `${digit === 1 ? "" : `${digit}×`}10${superscript(String(power))}`;
}

/** Returns an axis from 0 to a number, with steps of 1, 2 or 5 times a power of ten; of two where it counts bytes. */
export function linearAxis(most, { bytes = false, ticks: wanted = 5 } = {}) {
  const top = most > 0 ? most : 1;
  const step = bytes ? byteStep(top / wanted) : decimalStep(top / wanted);
  const ticks = [];
  for (let value = 0; value <= top * 1.0001; value += step) {
    ticks.push({ value, at: value / top, text: bytes ? nbytes(value) : number(Number(value.toPrecision(12))) });
  }
  return { at: (value) => value / top, ticks, from: 0, to: top };
}

function decimalStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((digit) => digit * power >= least * 0.9999);
}

function byteStep(least) {
  const unit = 1024 ** Math.max(0, Math.floor(Math.log2(least) / 10));
  if (unit === 1) return Math.max(1, decimalStep(least));
  const step = decimalStep(least / unit);
  return step >= 1000 ? 1024 * unit : step * unit;
}

/** Returns an axis over whole numbers, such as steps: at most so many of them are written. */
export function countAxis(most, wanted = 8) {
  const step = Math.max(1, decimalStep(Math.max(1, most) / wanted));
  const ticks = [];
  for (let value = 0; value <= most; value += step) {
    ticks.push({ value, at: most ? value / most : 0, text: value.toLocaleString("en-US") });
  }
  return { at: (value) => (most ? value / most : 0), ticks, from: 0, to: most };
}
