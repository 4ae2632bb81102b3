/**
 * What stands at the top: what is missing, not finite, zero or changed, each a link to where it is.
 *
 * Relies on `dom.js`.
 */

import { element, fill } from "./dom.js";

const SHOWN = 5; // nodes named in one line

const CHANGING = new Set(["tensor_pre_hook", "pre_hook", "post_hook", "post_accumulate_grad_hook"]);

/**
 * Returns what is worth a look: `{key, level, nodes, names, values}`; `level` is "error", "warning" or "note".
 *
 * @param {Object} graph
 * @param {Object|null} trace
 */
export function noticesOf(graph, trace) {
  const found = [];
  const add = (key, level, nodes, more = {}) => {
    if (nodes.length || more.names?.length || more.always) found.push({ key, level, nodes, names: [], values: {}, ...more });
  };
  if (trace?.error) add("raised notice", "error", lastNode(trace), { values: { error: trace.error }, always: true });
  if (trace?.unread) add("unread notice", "error", [], { values: { reason: trace.unread }, always: true });
  add("unreached notice", "warning", [], { names: graph.unreached });
  if (trace) ofTrace(graph, trace, add);
  const hooked = nodesWhere(graph, (node) => graph.hooksOf(node).some(({ kind }) => CHANGING.has(kind)));
  add("hooks notice", "note", hooked);
  return found;
}

function ofTrace(graph, trace, add) {
  const leaves = nodesWhere(graph, (node) => graph.kindOf(node) === "accumulate");
  const ran = (node) => trace.stepOf(node) >= 0;
  const wild = nodesWhere(graph, trace.isNotFinite);
  const inOrder = wild.sort((left, right) => trace.stepOf(left) - trace.stepOf(right));
  add("not finite notice", "error", inOrder);
  const gotNothing = (node) => trace.step(trace.stepOf(node)).leaf?.how === "nothing";
  add("none notice", "warning", leaves.filter((node) => ran(node) && gotNothing(node)));
  if (!trace.error) add("not run notice", "warning", leaves.filter((node) => !ran(node)));
  add("zero notice", "warning", leaves.filter(trace.isZero));
}

function lastNode(trace) {
  return trace.stepCount ? [trace.nodeAt(trace.stepCount - 1)] : [];
}

function nodesWhere(graph, isWanted) {
  const found = [];
  for (let node = 0; node < graph.nodeCount; node++) if (isWanted(node)) found.push(node);
  return found;
}

/** Builds the lines. */
export function mount(host, { model, store, t, choose }) {
  function draw(state) {
    const graph = model.graphOf(state);
    const lines = noticesOf(graph, model.traceAt(state)).map((notice) => lineOf(graph, notice));
    fill(host, lines);
    host.hidden = !lines.length;
  }

  function lineOf(graph, { key, level, nodes, names, values }) {
    const total = nodes.length + names.length;
    const links = nodes.slice(0, SHOWN).map((node) => linkTo(graph, node));
    const texts = names.slice(0, SHOWN).map((name) => element("bdi", { class: "name" }, name));
    const rest = total - Math.min(total, Math.max(links.length, texts.length));
    return element("li", { class: `notice ${level}` },
      element("span", { class: "notice-text" }, t(key, { count: total, ...values })), " ",
      [...links, ...texts].flatMap((part) => [part, " "]),
      rest > 0 ? moreButton(graph, nodes, names, rest) : null);
  }

  function linkTo(graph, node) {
    const variable = graph.variableOf(node);
    return element("button", { type: "button", class: "link", onclick: () => choose(node) },
      element("bdi", {}, variable ?? graph.nameOf(node)), variable === null ? element("small", {}, ` #${node}`) : null);
  }

  /** The rest of a long line, shown when it's asked for. */
  function moreButton(graph, nodes, names, rest) {
    const button = element("button", { type: "button", class: "link quiet", onclick: () => {
      const links = nodes.slice(SHOWN).flatMap((node) => [linkTo(graph, node), " "]);
      button.replaceWith(...links, ...names.slice(SHOWN).flatMap((name) => [element("bdi", { class: "name" }, name), " "]));
    } }, t("notice more", { count: rest }));
    return button;
  }

  store.subscribe((state, changed) => {
    if (changed.has("trace") || changed.has("graph")) draw(state);
  });
  draw(store.get());
}
