/**
 * What the page shows at the moment, in one place. Parts of the page read it, change it and are told of changes; none
 * reaches into another part.
 *
 * Relies on nothing. Promises that a listener always sees the newest state, and that changes made by listeners are told
 * after the change under way, never in the middle of it.
 */

/** What every page begins with; `main.js` sets what depends on the data. */
export const INITIAL = Object.freeze({
  trace: null, // index in `data.traces`; null: a graph alone
  graph: 0, // index in `data.graphs`: that of the trace
  traces: 0, // how many there are: a run that is followed brings more
  live: null, // "waiting", "following", "ended", "lost" or "failed", where a run is followed
  open: new Set([0]), // boxes whose inside is seen
  selected: null, // {node: id}, {box: id} or null
  hovered: null, // likewise
  colour: "kind",
  theme: null, // "light", "dark" or null: as the system says
  language: "en",
  step: null, // null: not playing; k: after k steps
  playing: false,
  speed: 1,
  panel: null,
  filter: "",
  legend: null, // whether it's unfolded; null: as there is room
});

/**
 * Returns a new store.
 *
 * @param {Object} initial Fields that differ from `INITIAL`.
 * @param {function(Object, Object, Object): Object} settle From the next state, the one before it and what was set:
 *   the next state with what must go with it, so that nobody is ever told of half a change.
 * @returns {{get: function(): Object, set: function(Object): void, subscribe: function(function): function}}
 *   `set` takes the fields to change. `subscribe` takes `(state, changed)`, where `changed` is a set of names, and
 *   returns a function that ends it.
 */
export function createStore(initial = {}, settle = (next) => next) {
  let state = Object.freeze({ ...INITIAL, ...initial });
  const listeners = new Set();
  const waiting = [];
  let telling = false;

  function set(patch) {
    const next = settle({ ...state, ...patch }, state, patch);
    const changed = new Set(Object.keys(next).filter((name) => !same(state[name], next[name])));
    if (!changed.size) return;
    state = Object.freeze(next);
    waiting.push(changed);
    if (telling) return;
    telling = true;
    try {
      while (waiting.length) {
        const names = waiting.shift();
        for (const listener of [...listeners]) if (listeners.has(listener)) listener(state, names);
      }
    } finally {
      telling = false;
      waiting.length = 0;
    }
  }

  return {
    get: () => state,
    set,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/**
 * Returns whether two values of a field are the same: sets by their members, `{node: 3}` by what it names.
 */
export function same(left, right) {
  if (Object.is(left, right)) return true;
  if (left instanceof Set && right instanceof Set) {
    return left.size === right.size && [...left].every((member) => right.has(member));
  }
  if (!left || !right || typeof left !== "object" || typeof right !== "object") return false;
  return left.node === right.node && left.box === right.box && ("node" in left || "box" in left);
}
