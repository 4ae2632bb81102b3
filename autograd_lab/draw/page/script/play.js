/**
 * Playing the backward: the bar with its buttons and scrubber, and beside it what the engine holds after each step.
 *
 * Relies on `player.js`, `now.js` and `follow.js`.
 *
 * Note [Time in steps]
 * The store's `step` is how many steps have been taken: 0 is the start, before any node has run, `null` is not playing.
 * While it plays, the screen's pictures set the pace, and several steps may go by from one picture to the next.
 */

import { count } from "./digits.js";
import { change, element, fill, svg } from "./dom.js";
import { createClock } from "./clock.js";
import { follow } from "./follow.js";
import { createNow } from "./now.js";
import { playerAt } from "./player.js";

const SPEEDS = [1, 2, 5, 10, 25, 100, 500, 2500];
const WHOLE = 25; // seconds that a backward should take at the speed that it begins with
const KEYS = { start: "Home", back: ",", play: "P", forward: ".", end: "End" };
const WRITING = "input:not([type=range]), select, textarea, [contenteditable]";
const HAVE_ENDS = "#card, input, [role=tab], [role=separator], [role=application], [role=grid]";
const ICONS = {
  start: "M3 2v10M12 2L5 7l7 5z",
  back: "M9 2L3 7l6 5zM12 2v10",
  play: "M3 1.5v11l9-5.5z",
  pause: "M4 2v10M10 2v10",
  forward: "M5 2l6 5-6 5zM2 2v10",
  end: "M11 2v10M2 2l7 5-7 5z",
  stop: "M3 3l8 8M11 3l-8 8",
};

/** Builds the player. */
export function mount(host, context) {
  const { model, store, t, signal } = context;
  const traceNow = () => model.traceAt(store.get());
  const lengthNow = () => traceNow()?.stepCount ?? model.graphOf(store.get()).nodeCount;
  const clock = createClock(advance);

  const button = (icon, key, work) => element("button", {
    type: "button", class: `play-button ${icon}`, "aria-label": t(key), title: hint(icon, t(key)), onclick: work,
  }, svg("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, svg("path", { d: ICONS[icon] })));
  const toStart = button("start", "to start", () => go(0));
  const back = button("back", "step back", () => move(-1));
  const play = button("play", "play", toggle);
  const forward = button("forward", "step forward", () => move(1));
  const toEnd = button("end", "to end", () => go(lengthNow()));
  const stop = button("stop", "stop playing", () => store.set({ step: null, playing: false }));
  const scrubber = element("input", {
    type: "range", class: "play-scrubber", min: 0, step: 1, "aria-label": t("scrubber"),
    oninput: () => go(Number(scrubber.value)),
  });
  const speed = element("select", {
    class: "play-speed", "aria-label": t("speed"), title: t("speed"),
    onchange: () => store.set({ speed: Number(speed.value) }),
  }, SPEEDS.map((each) => element("option", { value: each }, named(each))));
  const position = element("output", { class: "play-position" });
  const now = createNow(context);
  fill(host, element("div", { class: "play-bar", role: "group", "aria-label": t("player") },
    toStart, back, play, forward, toEnd, scrubber, position, speed, stop), now.element);

  function named(each) {
    return t("steps per second", { count: each });
  }

  function go(step) {
    store.set({ step: Math.max(0, Math.min(lengthNow(), step)), playing: false });
  }

  function move(by) {
    go((store.get().step ?? 0) + by);
  }

  function toggle() {
    const { playing, step } = store.get();
    const over = step === null || step >= lengthNow();
    store.set(playing ? { playing: false } : { playing: true, step: over ? 0 : step });
  }

  /** Note [Time in steps]. */
  function advance(steps) {
    const { step } = store.get();
    const length = lengthNow();
    const next = Math.min(length, (step ?? 0) + steps);
    store.set({ step: next, playing: next < length });
  }

  function draw(state) {
    const length = lengthNow();
    const moment = state.step === null ? null : playerAt(traceNow() ?? model.graphOf(state), state.step);
    change(scrubber, { max: length });
    scrubber.value = String(state.step ?? 0);
    const all = t(traceNow() ? "steps to play" : "steps planned", { count: count(length) });
    const said = moment === null ? all : sentence(moment);
    change(scrubber, { "aria-valuetext": said });
    position.textContent = said;
    change(position, { title: said, "aria-live": state.playing ? "off" : "polite" });
    const icon = state.playing ? "pause" : "play";
    change(play, { "aria-label": t(icon), title: hint("play", t(icon)) });
    play.querySelector("path").setAttribute("d", ICONS[icon]);
    play.classList.toggle("pause", state.playing);
    change(stop, { disabled: state.step === null });
    change(back, { disabled: !state.step });
    change(toStart, { disabled: state.step === 0 });
    for (const each of [forward, toEnd]) change(each, { disabled: state.step !== null && state.step >= length });
    host.classList.toggle("playing", state.step !== null);
    now.show(moment);
  }

  function sentence({ current, error, time, length, player: { graph } }) {
    const name = current === null ? t("nothing yet") : graph.variableOf(current) ?? graph.nameOf(current);
    const at = t("step of", { step: count(time), count: count(length), name });
    return error === null ? at : `${at} · ${t("raised", { error })}`;
  }

  function begin() {
    const wanted = SPEEDS.find((each) => each * WHOLE >= lengthNow()) ?? SPEEDS[SPEEDS.length - 1];
    if (!SPEEDS.includes(store.get().speed) || store.get().speed === 1) store.set({ speed: wanted });
    speed.value = String(store.get().speed);
  }

  store.subscribe((state, changed) => {
    if (changed.has("trace") || changed.has("graph")) store.set({ step: state.step === null ? null : 0, playing: false });
    if (changed.has("speed")) speed.value = String(state.speed);
    if (changed.has("playing") || changed.has("speed")) clock.run(state.playing ? state.speed : 0);
    if (["step", "playing", "trace", "graph", "language"].some((field) => changed.has(field))) draw(state);
  });
  document.addEventListener("keydown", (event) => keys(event, { toggle, move, go, lengthNow }), { signal });
  signal.addEventListener("abort", () => clock.run(0));
  follow(context);
  begin();
  draw(store.get());
  if (store.get().playing) clock.run(store.get().speed);
}

/** A button's name, with the key that does the same. */
function hint(icon, name) {
  return KEYS[icon] ? `${name} (${KEYS[icon]})` : name;
}

/**
 * P plays and pauses, a comma and a full stop step, Home and End go to the ends, wherever the focus is: arrows and Space
 * belong to what has the focus. Home and End do where they mean something.
 */
function keys(event, { toggle, move, go, lengthNow }) {
  const { target, key } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const isEnd = key === "Home" || key === "End";
  if (target.closest?.(isEnd ? `${WRITING}, ${HAVE_ENDS}` : WRITING)) return;
  const work = {
    p: toggle, ",": () => move(-1), ".": () => move(1), home: () => go(0), end: () => go(lengthNow()),
  }[key.toLowerCase()];
  if (!work) return;
  event.preventDefault();
  work();
}
