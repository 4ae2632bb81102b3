/**
 * The card of a box: what is inside, and what went through it.
 *
 * Relies on `card_parts.js`, `digits.js`, `inside.js`, `measures.js` and `opening.js`.
 */

import { boxLink, facts, list, nodeLink, normOf, place, quiet, section, shown, trail } from "./card_parts.js";
import { count, duration, nbytes, percent } from "./digits.js";
import { element } from "./dom.js";
import { copiesOf } from "./inside.js";
import { spreadText } from "./measures.js";
import { openedBelow, toggle } from "./opening.js";

const LISTED = 12;
const LISTED_COPIES = 100;
const MOST_OPENED = 400; // items: more at once help nobody

/** Returns what stands in the card of a box; of the top one, what is to be said of the whole. */
export function boxCard(index, context) {
  const { model, store, t, choose, marks } = context;
  const state = store.get();
  const graph = model.graphOf(state);
  const trace = model.traceAt(state);
  const box = graph.box(index);
  const { inside } = marks.measures();
  return [
    trail(graph, graph.boxItem(index), choose),
    element("h2", {}, element("bdi", {}, box.title)),
    element("p", { class: "card-kind" }, box.class && [element("code", {}, box.class), " · "], t(`kind ${box.kind}`)),
    element("p", {}, t(box.note, { count: count(box.count), times: box.times, first: box.first, last: box.last })),
    buttons(index, graph, state, context),
    section("facts", t("facts"), boxFacts(index, graph, trace, inside, t)),
    box.kind === "repeats" ? section("copies", t("copies"), copies(index, graph, inside, t, choose)) : null,
    section("leaves", t("parameters inside"), leaves(index, graph, trace, t, choose)),
    index === 0 ? section("keys", t("keys"), keys(t)) : null,
  ];
}

function buttons(index, graph, { open }, { store, t, camera }) {
  if (index === 0) return null;
  const button = (key, onclick) => element("button", { type: "button", onclick }, t(key));
  const openAll = () => {
    store.set({ open: openedBelow(graph, store.get().open, index, MOST_OPENED) });
    camera.show(graph.boxItem(index));
  };
  const hasBoxes = graph.childrenOf(index).some(graph.isBox);
  return element("p", { class: "buttons" },
    button(open.has(index) ? "close box" : "open box", () => toggle(store, index)),
    hasBoxes ? button("open all inside", openAll) : null);
}

function boxFacts(index, graph, trace, inside, t) {
  const saved = inside.saved(index);
  const time = inside.time(index);
  const started = index === 0 ? (trace?.started ?? null) : null;
  const all = inside.time(0);
  const share = index > 0 && time !== null && all ? ` (${t("share of nodes", { share: percent(time / all) })})` : "";
  return facts([
    [t("norm came in"), norm(inside.cameIn(index))],
    [t("norm of copies"), graph.box(index).kind === "repeats" ? spread(inside.spread(index)) : null],
    [t("norm went out"), index === 0 ? null : norm(inside.wentOut(index))],
    [t("time of nodes"), time === null ? null : duration(time) + share],
    [t("time of all"), index === 0 && trace?.totalNs ? wholeTime(trace.totalNs, all, t) : null],
    [t("saved activations"), saved.activations ? nbytes(saved.activations) : null],
    [t("saved parameters"), saved.parameters ? nbytes(saved.parameters) : null],
    [t("started at"), started && place(started.file, started.line, started.function)],
  ]);
}

/** The nodes' time isn't all: it says what the rest is. */
function wholeTime(total, ofNodes, t) {
  if (ofNodes === null || ofNodes >= total) return duration(total);
  return [duration(total), " ", quiet(t("time of rest", { rest: duration(total - ofNodes) }))];
}

function norm(value) {
  return value === null ? null : shown(value);
}

function spread(found) {
  return found === null ? null : spreadText(found);
}

/** The blocks that are alike, in the order in which they run, with what came into each; of very many, both ends. */
function copies(index, graph, inside, t, choose) {
  const all = copiesOf(graph, index);
  const few = all.length <= LISTED_COPIES ? all : [...all.slice(0, LISTED_COPIES / 2), null, ...all.slice(-LISTED_COPIES / 2)];
  return list(few.map((box) => (box === null
    ? element("li", { class: "quiet" }, t("leaves between", { count: count(all.length - LISTED_COPIES) }))
    : element("li", { class: "row" }, boxLink(graph, box, choose), normOf(inside.cameIn(box))))));
}

/** The parameters inside with the norms of their gradients; of many, those that stand out at both ends. */
function leaves(index, graph, trace, t, choose) {
  const found = graph.nodesIn(index).filter((node) => graph.kindOf(node) === "accumulate");
  const rows = found.map((node) => ({ node, norm: trace?.normOf(node) ?? null }));
  rows.sort((left, right) => (right.norm ?? -1) - (left.norm ?? -1) || left.node - right.node);
  const few = rows.length <= LISTED ? rows : [...rows.slice(0, LISTED / 2), null, ...rows.slice(-LISTED / 2)];
  const lines = few.map((row) => (row === null
    ? element("li", { class: "quiet" }, t("leaves between", { count: count(rows.length - LISTED) }))
    : element("li", { class: "row" }, nodeLink(graph, row.node, choose), normOf(row.norm))));
  return list(lines);
}

function keys(t) {
  const rows = ["move", "zoom", "fit", "next", "open", "select", "search", "play", "step", "ends"];
  return element("dl", { class: "keys" }, rows.map((key) => [
    element("dt", {}, t(`keys ${key}`).split(" ").map((one) => [element("kbd", {}, one), " "])), element("dd", {}, t(`keys to ${key}`)),
  ]));
}
