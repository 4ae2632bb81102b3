/**
 * A clock that counts steps, paced by the screen's pictures.
 *
 * Relies on nothing.
 */

const LONGEST = 250; // milliseconds: after a longer pause, as in a tab that wasn't seen, nothing is made up for

/**
 * Returns a clock.
 *
 * @param {function(number): void} advance Gets how many steps have become due, 1 or more.
 * @returns {{run: function(number): void}} `run` sets how many steps go by in a second; 0 stops it.
 */
export function createClock(advance) {
  let rate = 0;
  let last = null;
  let due = 0;
  let waiting = null;

  function tick(now) {
    waiting = null;
    if (rate === 0) return;
    due += (Math.min(LONGEST, now - (last ?? now)) * rate) / 1000;
    last = now;
    const steps = Math.floor(due);
    due -= steps;
    wait();
    if (steps > 0) advance(steps);
  }

  function wait() {
    waiting ??= requestAnimationFrame(tick);
  }

  return {
    run(stepsPerSecond) {
      if (rate === 0) {
        last = null;
        due = 0;
      }
      rate = stepsPerSecond;
      if (rate > 0) wait();
    },
  };
}
