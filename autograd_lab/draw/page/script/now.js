/**
 * What the engine holds at the moment that is played: the node that runs, the ready queue, the buffers that fill, the
 * leaves that have their gradient, and the memory that is still saved.
 *
 * Relies on `player.js` (states) and `chain.js`.
 */

import { chainRule, scalarOf, wholeChain } from "./chain.js";
import { count, nbytes, number } from "./digits.js";
import { element, fill } from "./dom.js";

const LISTED = 8; // in each list; more are counted

/**
 * Returns the lists.
 *
 * @returns {{element: HTMLElement, show: function(Object|null): void}} `show` takes one of the player's states.
 */
export function createNow({ model, store, t }) {
  const parts = Object.fromEntries(["runs now", "ready queue", "buffers", "leaves", "saved memory"].map((key) => {
    const number_ = element("span", { class: "now-count" });
    const body = element("div", { class: "now-body" });
    const part = element("section", { class: "now-part" }, element("h3", {}, t(key), " ", number_), body);
    return [key, { part, number: number_, body }];
  }));
  const host = element("div", { class: "now", hidden: true }, Object.values(parts).map(({ part }) => part));

  function show(state) {
    host.hidden = state === null;
    if (state === null) return;
    const { graph, trace } = state.player;
    running(state, graph, trace);
    ready(state, graph);
    buffers(state, graph);
    leaves(state, graph, trace);
    memory(state);
  }

  function put(key, total, ...children) {
    parts[key].number.textContent = total === null ? "" : count(total);
    fill(parts[key].body, ...children);
  }

  /** A button that selects a node. A leaf's name is enough to know it by. */
  function link(graph, node) {
    const variable = graph.variableOf(node);
    return element("button", { type: "button", class: "now-node", onclick: () => store.set({ selected: { node } }) },
      element("span", { class: variable === null ? "now-name" : "now-name leaf" },
        element("bdi", {}, variable ?? graph.nameOf(node))),
      variable === null ? element("small", {}, ` #${node}`) : null);
  }

  function running(state, graph, trace) {
    if (state.current === null) {
      put("runs now", null, element("p", {}, t("at the start")), raised(state));
      return;
    }
    put("runs now", null, link(graph, state.current), raised(state), trace && sums(trace, state.current),
      state.player.planned ? quiet(t("as planned")) : null);
  }

  function raised({ error, failed }) {
    if (error === null) return null;
    const what = t(failed === null ? "stopped here" : "it raised");
    return [what, error].map((text, at) => element("p", { class: "now-error" }, at === 0 ? `⚠ ${text}` : text));
  }

  /** The chain rule's line for single numbers; else what came in and what went out. */
  function sums(trace, node) {
    const rule = chainRule(trace, node, model.text);
    if (rule.length) return rule.map(chainLine);
    const single = scalarOf(trace, node, model.text);
    if (single) {
      const chain = wholeChain(trace, node, model.text);
      const grad = `${single.name}.grad`;
      if (chain) return chainLine({ ...chain, left: `${grad} = ${chain.left}` });
      return element("p", { class: "now-chain" }, `${grad} = `, element("b", {}, single.gradient));
    }
    const written = (key, all) => {
      const texts = all.filter(Boolean).map(({ norm, meta }) => (
        `${norm === null ? t("not measured") : number(norm)} ${meta ?? ""}`));
      return texts.length ? quiet(`${t(key)}: ${texts.join(", ")}`) : null;
    };
    return [written("norm in", trace.gradOutputs(node)), written("norm out", trace.gradInputs(node))];
  }

  function chainLine({ left, names, product, result, part }) {
    const answer = element("span", {}, product && `= ${product} `, "= ", element("b", {}, result));
    return element("p", { class: "now-chain" }, part ? `${t("one part of")} ` : null,
      element("span", {}, left), " ", names && [element("span", {}, `= ${names}`), " "], answer);
  }

  function ready(state, graph) {
    const listed = state.player.seek(state.time).queue.inOrder(LISTED);
    put("ready queue", state.readyCount,
      listed.length ? element("ol", {}, listed.map((node) => element("li", {}, link(graph, node)))) : quiet(t("empty")),
      more(state.readyCount - listed.length));
  }

  function buffers(state, graph) {
    const filling = state.buffers.filter((node) => state.status(node) === "filling");
    put("buffers", filling.length,
      filling.length ? element("ul", {}, filling.slice(0, LISTED).map((node) => buffer(state.buffer(node), graph)))
        : quiet(t("none filling")),
      more(filling.length - LISTED));
  }

  function buffer({ node, arrived, expected }, graph) {
    const boxes = expected <= 8 ? "■".repeat(arrived.length) + "□".repeat(expected - arrived.length) : "";
    const said = t("arrived of", { arrived: arrived.length, expected });
    return element("li", {}, link(graph, node), element("span", { class: "now-fill", title: said },
      element("span", { "aria-hidden": "true" }, boxes), ` ${said}`));
  }

  function leaves(state, graph, trace) {
    const landed = state.landed;
    const latest = landed.slice(-LISTED).reverse();
    put("leaves", landed.length,
      landed.length ? element("ul", {}, latest.map(({ node, step }) => (
        element("li", {}, link(graph, node), leaf(trace, node, step))))) : quiet(t("none landed")),
      more(landed.length - latest.length));
  }

  function leaf(trace, node, step) {
    if (!trace) return null;
    const { leaf: done, in: came } = trace.step(step);
    const norm = (done?.after ?? came[0])?.norm ?? null;
    const single = scalarOf(trace, node, model.text);
    const text = [done && t(`leaf ${done.how}`), single ? single.gradient : norm === null ? null : number(norm)];
    return element("span", { class: "now-fill", title: done && t(`grad ${done.how}`) }, ` ${text.filter(Boolean).join(" ")}`);
  }

  function memory(state) {
    const { saved } = state.player;
    const most = saved.activations[0];
    const now = state.saved;
    if (!saved.held.length) {
      put("saved memory", null, quiet(t("nothing kept")));
      return;
    }
    put("saved memory", null,
      element("meter", {
        class: "now-meter", min: 0, max: Math.max(1, most), value: now.activations, "aria-label": t("activations"),
      }),
      element("p", {}, element("b", {}, nbytes(now.activations)), ` ${t("of at start", { bytes: nbytes(most) })}`),
      freed(state),
      now.parameters ? quiet(`${t("parameters needed")}: ${nbytes(now.parameters)}`) : null);
  }

  function freed(state) {
    if (state.time === 0) return null;
    const bytes = state.player.saved.activations[state.time - 1] - state.saved.activations;
    return bytes > 0 ? quiet(t("this step frees", { bytes: nbytes(bytes) })) : null;
  }

  function more(left) {
    return left > 0 ? quiet(t("more listed", { count: count(left) })) : null;
  }

  return { element: host, show };
}

function quiet(text) {
  return element("p", { class: "now-quiet" }, text);
}
