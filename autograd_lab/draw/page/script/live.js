/**
 * More traces while the program runs: server-sent events, each with one trace and the texts and graphs that are new.
 *
 * Relies on `dom.js`. Promises that who looks at the newest backward goes on with it, and that whoever looks at another
 * one, or plays one, isn't disturbed.
 */

import { element, fill } from "./dom.js";

/** Milliseconds for which what comes is gathered, before the page shows it. */
const GATHER = 60;

/**
 * Puts what came behind what the page has; `stream.py` wrote it.
 *
 * @returns {number} The trace's index.
 */
export function take(data, model, { strings, files, graph, trace }) {
  for (const text of strings) data.strings.push(text);
  if (files) data.files = files;
  return model.addTrace(trace, graph);
}

/**
 * Returns what changes of the page's state once more traces are there.
 *
 * @param {Object} state
 * @param {Object} model
 * @param {number} before The index of the trace that was the newest.
 */
export function afterMore(state, model, before) {
  const traces = model.traces.length;
  if (state.trace !== before || state.step !== null || traces - 1 === before) return { traces };
  const graph = model.traces[traces - 1].graphIndex;
  return { traces, trace: traces - 1, graph, selected: graph === state.graph ? state.selected : null };
}

/**
 * Follows a run.
 *
 * @param {string} address Where the events come from.
 * @param {{take: function(Object): void, first: function(): void, more: function(): void, say: function(string): void}} page
 *   `take` takes in a trace, `first` is called after the first, `more` after others, `say` with what became of the run.
 */
export function follow(address, { take: takeIn, first, more, say }) {
  const source = new EventSource(address);
  let [begun, waiting] = [false, null];
  const over = (how) => {
    source.close();
    say(how);
  };
  source.addEventListener("trace", ({ data }) => {
    takeIn(JSON.parse(data));
    if (!begun) {
      begun = true;
      first();
      say("following");
    } else {
      waiting ??= setTimeout(() => {
        waiting = null;
        more();
      }, GATHER);
    }
  });
  source.addEventListener("again", () => {
    source.close();
    location.reload();
  });
  source.addEventListener("ended", () => over("ended"));
  source.addEventListener("failed", () => over("failed"));
  source.addEventListener("error", () => over("lost")); // a second connection would bring everything again
}

/** Says what became of the run, in a line. */
export function mount(host, { store, t }) {
  const line = element("p", { class: "live", role: "status" });
  fill(host, line);
  const show = ({ live }) => {
    line.hidden = !live;
    line.className = `live live-${live}`;
    line.textContent = live ? t(`live ${live}`) : "";
  };
  store.subscribe(show);
  show(store.get());
}
