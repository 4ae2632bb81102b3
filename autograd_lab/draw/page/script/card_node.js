/**
 * The card of a node: everything that the record says of it.
 *
 * Relies on `card_parts.js`, `digits.js` and `stats.js`.
 */

import {
  boxLink, codeOf, facts, gradient, list, name, nodeLink, normOf, place, quiet, section, trail,
} from "./card_parts.js";
import { count, duration, nbytes } from "./digits.js";
import { element } from "./dom.js";

const HOOK_PLACES = 60; // characters of a value that stands in a line

/**
 * The sections of a node's card in their order: each takes `{node, id, graph, trace, step, context}` and returns an
 * element, or null where there is nothing to say. What is known of a node elsewhere (its formula, its proof, answers)
 * is one more line here.
 */
export const SECTIONS = [factsOf, cameIn, wentOut, accumulated, saved, source, hooks, kernels, forward, metadata];

/** Returns what stands in the card of a node. */
export function nodeCard(id, context) {
  const { model, store, t, choose } = context;
  const state = store.get();
  const graph = model.graphOf(state);
  const trace = model.traceAt(state);
  const node = graph.node(id);
  const index = trace ? trace.stepOf(id) : -1;
  const step = index < 0 ? null : trace.step(index);
  return [
    trail(graph, id, choose),
    element("h2", {}, element("bdi", {}, node.variable ?? node.name), " ", element("small", {}, `#${id}`)),
    element("p", { class: "card-kind" }, kindOf(node, t)),
    ...SECTIONS.map((make) => make({ node, id, graph, trace, step, context })),
  ];
}

function factsOf({ node, graph, trace, step, context: { t, choose } }) {
  const ran = step ? t("step of all", { step: step.index + 1, count: trace.stepCount }) : trace ? t("did not run") : null;
  return section("facts", t("facts"), facts([
    [t("ran"), ran],
    [t("time"), step?.duration === null || !step ? null : duration(step.duration)],
    [t("thread"), step && step.thread > 0 ? String(step.thread) : null],
    [t("takes"), node.metas.length ? node.metas.map((meta) => [element("code", {}, meta), " "]) : null],
    [t("also called"), node.aliases.length ? node.aliases.map((alias) => [name(alias), " "]) : null],
    [t("module"), moduleOf(graph, node, t, choose)],
    [t("made by"), node.call && name(node.call)],
    [t("rule"), node.rule && name(node.rule)],
    ["sequence_nr", node.sequence === null ? null : String(node.sequence)],
  ]));
}

/** What kind of node it is, after its name where the heading has another; a leaf's kind says the name itself. */
function kindOf({ name: called, variable, kind }, t) {
  const text = t(`kind ${kind}`);
  return variable === null || text.includes(called) ? text : `${called} · ${text}`;
}

/** The module's path, with a link to the innermost box of a module that is around the node. */
function moduleOf(graph, { id, module: path }, t, choose) {
  if (!path) return path === "" ? t("model itself") : null;
  const box = graph.pathOf(id).findLast((index) => graph.box(index).kind === "module");
  if (box === undefined) return name(path);
  return [boxLink(graph, box, choose), graph.box(box).title === path ? null : [" ", quiet(name(path))]];
}

function cameIn({ node, id, graph, trace, step, context: { t, choose } }) {
  const edges = graph.edgesIn(id).map((edge) => graph.edge(edge));
  const blocks = node.metas.map((meta, slot) => {
    const stats = step?.in[slot] ?? null;
    const title = node.metas.length > 1 ? t("slot", { slot }) : null;
    if (!step) return null;
    return gradient(stats && { ...stats, meta: stats.meta ?? meta }, { t, title, histogram: trace.histogram("in", id, slot) });
  });
  const senders = step?.came.length
    ? step.came.map((each) => senderRow(graph, each.source, each.slot, each.stats, node, t, choose))
    : edges.map((edge) => senderRow(graph, edge.tail, edge.input, null, node, t, choose));
  return section("came-in", t("came in"), blocks, senders.length ? element("ul", { class: "ways" }, senders) : null);
}

function senderRow(graph, source, slot, stats, node, t, choose) {
  const from = source === null ? t("from start") : nodeLink(graph, source, choose);
  const into = node.metas.length > 1 ? ` ${t("into slot", { slot })}` : null;
  return element("li", { class: "row" }, "← ", from, into, normOf(stats?.norm ?? null));
}

function wentOut({ id, graph, trace, step, context: { t, choose } }) {
  const edges = graph.edgesOut(id).map((edge) => graph.edge(edge));
  const rows = edges.map((edge) => {
    const stats = step?.out[edge.slot] ?? null;
    const where = element("span", {}, edges.length > 1 ? `${edge.slot} ` : null, "→ ", nodeLink(graph, edge.head, choose),
      edge.name && [" ", quiet(name(edge.name))]);
    if (!step) return element("p", { class: "gradient-title" }, where);
    return gradient(stats, { t, title: where, histogram: trace.histogram("out", id, edge.slot) });
  });
  return section("went-out", t("went out"), rows);
}

function accumulated({ step, context: { t } }) {
  if (!step?.leaf) return null;
  const { how, before, after } = step.leaf;
  return section("grad", ".grad", element("p", {}, t(`grad ${how}`)),
    before ? gradient(before, { t, title: t("before") }) : facts([[t("before"), element("code", {}, "None")]]),
    after ? gradient(after, { t, title: t("after") }) : null);
}

function saved({ node, context: { t } }) {
  const rows = node.saved.map((each) => element("li", { class: "saved" },
    element("code", { class: "saved-name" }, each.name), " ", savedText(each, t)));
  return section("saved", t("saved tensors"), list(rows));
}

function savedText(each, t) {
  if (each.released) return quiet(t("released"));
  if (each.packed !== null) return element("span", {}, t("packed by"), " ", name(each.packed));
  if (each.meta === null) return element("code", {}, clipped(each.value ?? "–"));
  const owner = each.owner === null ? null : element("span", { class: "badge" }, t(`owner ${each.owner}`));
  const view = each.view === null ? null : `(${t(`view ${each.view}`)})`;
  return element("span", {}, element("code", {}, each.meta), " ",
    each.variable !== null && [name(each.variable), " "], view && [view, " "],
    each.nbytes !== null && quiet(sizeOf(each, t)), " ", owner,
    each.version ? quiet(` ${t("version", { version: each.version })}`) : null);
}

/** A view keeps all of its storage alive. */
function sizeOf({ nbytes: own, storage_nbytes: whole }, t) {
  return whole !== null && own < whole ? t("part alone", { part: nbytes(own), bytes: nbytes(whole) }) : nbytes(own);
}

function clipped(text) {
  return text.length > HOOK_PLACES ? `${text.slice(0, HOOK_PLACES)}…` : text;
}

function source({ node, context: { t, model } }) {
  if (node.file === null) return null;
  return section("source", t("source line"), element("p", {}, place(node.file, node.line, node.function)),
    codeOf(model.source(node.file, node.line), t) ?? element("p", { class: "quiet" }, t("no file")));
}

function hooks({ node, context: { t } }) {
  const rows = node.hooks.map((hook) => element("li", {}, name(hook.name), " ", quiet(hook.kind),
    hook.slot === null || node.metas.length < 2 ? null : ` ${t("slot", { slot: hook.slot })}`,
    hook.file === null ? null : [" ", place(hook.file, hook.line)]));
  return section("hooks", t("hooks"), list(rows));
}

function kernels({ step, context: { t } }) {
  const groups = new Map();
  for (const { name: kernel, by } of step?.kernels ?? []) {
    const key = `${kernel} ${by}`;
    groups.set(key, { kernel, by, count: (groups.get(key)?.count ?? 0) + 1 });
  }
  const rows = [...groups.values()].map((each) => element("li", {}, element("code", {}, each.kernel),
    each.count > 1 ? ` × ${count(each.count)}` : null,
    each.by !== "node" && each.by !== null ? quiet(` ${t("run by", { by: each.by })}`) : null));
  return section("kernels", t("kernels"), list(rows));
}

function forward({ node, context: { t } }) {
  return section("forward", t("forward made"), node.made.filter(Boolean).map((stats) => gradient(stats, { t })));
}

function metadata({ node, context: { t } }) {
  const rows = node.metadata.map(([key, value]) => (
    element("details", {}, element("summary", {}, name(key)), element("pre", { class: "code" }, value))));
  return section("metadata", t("metadata"), rows);
}
