/**
 * The page's entry: reads the data and the words, and puts the parts together.
 *
 * Relies on every part.
 *
 * Note [Another language] A page whose language is changed is built anew from the state that it has: no part keeps
 * texts of its own up to date. `signal` ends what a part has put outside its own elements.
 */

import { mount as mountAddress, read as readAddress } from "./address.js";
import { mount as mountCard } from "./card.js";
import { element, fill } from "./dom.js";
import { afterMore, follow, mount as mountLive, take } from "./live.js";
import { createModel } from "./model.js";
import { firstOpen, namedBy } from "./opening.js";
import { mount as mountPanels } from "./panels.js";
import { mount as mountPlay } from "./play.js";
import { playerAt } from "./player.js";
import { mountStage } from "./stage.js";
import { createStore } from "./state.js";
import { mountTop } from "./top.js";
import { mount as mountBackwards } from "./traces.js";
import { createWords } from "./words.js";

const LANGUAGES = [{ key: "en", code: "en", name: "English", title: "English" }, { key: "zh", code: "zh-Hant-TW", name: "中文", title: "繁體中文" }];

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const [data, words] = [read("data"), read("words")];
const model = createModel(data);

/** The store of the page as it is built now. */
let current = null;

/** The state that a page opens with. */
function firstState() {
  const traces = model.traces.length;
  const state = { trace: traces ? 0 : null, traces, graph: 0, language: data.language, colour: traces ? "norm" : "kind" };
  const named = { ...state, ...readAddress(location.hash, model, state) };
  return { ...named, open: firstOpen(model.graphOf(named)) };
}

/** What of a state goes with another graph: its own open boxes, and nothing selected or pointed at that isn't in it. */
function withItsGraph(next, before, patch) {
  const graph = next.trace === null ? next.graph : model.traces[next.trace].graphIndex;
  if (graph === before.graph) return next;
  const selected = patch.selected ?? null;
  return { ...next, graph, selected, hovered: null, open: patch.open ?? firstOpen(model.graphs[graph]) };
}

/** Builds the page for a state. See Note [Another language]. */
function build(state) {
  const ended = new AbortController();
  const { selected, ...others } = state;
  const store = createStore(others, withItsGraph);
  const t = createWords(words, state.language);
  const choose = (item) => store.set({ selected: namedBy(model.graphOf(store.get()), item) });
  const context = { data, model, store, t, element, playerAt, choose, signal: ended.signal, languages: LANGUAGES };
  const host = (id) => {
    const found = document.getElementById(id);
    fill(found);
    return found;
  };
  document.documentElement.lang = LANGUAGES.find(({ key }) => key === state.language).code;

  const stage = mountStage(host("stage"), context);
  const parts = { ...context, ...stage };
  const backwards = element("div", { class: "backwards" });
  mountTop(host("top"), parts, backwards);
  mountBackwards(backwards, parts);
  mountCard(host("card"), parts);
  mountPlay(host("player"), parts);
  mountPanels(host("panels"), parts);
  mountAddress(parts);
  const live = element("div");
  document.getElementById("top").append(live);
  mountLive(live, parts);
  current = store;

  store.subscribe((now, changed) => {
    if (changed.has("theme")) showTheme(now);
    if (!changed.has("language")) return;
    ended.abort();
    build(store.get());
  });
  showTheme(state);
  if (selected) store.set({ selected });
}

function showTheme({ theme }) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** Builds the page once there is something, and brings it up to date as more comes. */
function followRun(address) {
  const top = document.getElementById("top");
  const t = createWords(words, data.language);
  const waiting = createStore({ live: "waiting" });
  fill(top, element("div", { class: "bar" }, element("h1", {}, t("title"))), element("div"));
  mountLive(top.lastElementChild, { store: waiting, t });
  current = waiting;
  let newest = 0;
  follow(address, {
    take: (delta) => take(data, model, delta),
    first: () => build({ ...firstState(), live: "following" }),
    more() {
      const patch = afterMore(current.get(), model, newest);
      newest = model.traces.length - 1;
      current.set(patch);
    },
    say: (live) => current.set({ live }),
  });
}

if (data.live) followRun(data.live);
else build(firstState());
