/**
 * What the drawing is coloured by: the choice, and the legend.
 *
 * Relies on `dom.js` and `measures.js`.
 */

import { change, element, fill } from "./dom.js";
import { isNumeric } from "./measures.js";

const ROOMY = { width: 760, height: 420 }; // of a stage in which the legend is unfolded at first

const KINDS = ["op", "accumulate", "function", "compiled", "module", "repeats", "segment"];

/** Builds the choice. */
export function mountChoice(host, { store, t, marks }) {
  const choice = element("select", { id: "colour", onchange: () => store.set({ colour: choice.value }) });
  fill(host, element("label", { for: "colour" }, t("colour by")), choice);
  function draw({ colour }) {
    const offered = marks.measures().offered();
    fill(choice, offered.map((measure) => element("option", { value: measure }, t(`colour ${measure}`))));
    choice.value = offered.includes(colour) ? colour : "kind";
  }
  store.subscribe((state, changed) => {
    if (changed.has("trace") || changed.has("graph") || changed.has("colour")) draw(state);
  });
  draw(store.get());
}

/** Builds the legend: what the colours mean that are seen. */
export function mountLegend(host, { store, t, marks, scene, signal }) {
  const title = element("button", { type: "button", onclick: () => store.set({ legend: !isOpen(store.get()) }) });
  const body = element("div", { class: "legend-body" });
  change(host, { class: "legend", role: "region", "aria-label": t("legend") });
  fill(host, element("h2", {}, title), body);

  function draw({ colour, step }) {
    const rows = isNumeric(colour) ? scaleRows(colour) : colour === "kind" ? kindRows() : hueRows();
    title.textContent = t(`legend ${colour}`);
    fill(body, element("ul", {}, rows), step === null ? null : statusRows());
    fold();
  }

  function fold() {
    const shown = isOpen(store.get());
    change(title, { "aria-expanded": String(shown), title: t(shown ? "fold legend" : "unfold legend") });
    body.hidden = !shown;
  }

  /** Whether it's unfolded: as the reader left it, and before that where it leaves room for the drawing. */
  function isOpen({ legend }) {
    const { clientWidth, clientHeight } = scene.svg;
    return legend ?? (clientWidth >= ROOMY.width && clientHeight >= ROOMY.height);
  }
  const row = (mark, text) => element("li", {}, element("span", { class: `swatch ${mark}`, "aria-hidden": "true" }), text);

  /** The steps side by side, from little to much, with numbers under both ends and the middle. */
  function scaleRows(colour) {
    const { scale, steps } = marks;
    const text = (value) => marks.measures().shortOf(colour, value);
    const others = ["zero", "wild", "none"].filter((step) => steps.has(step));
    const beside = others.map((step) => row(`heat-${step}`, t(`heat ${step}`)));
    const hasSpread = ({ item }) => marks.measures().spreadOf(item) !== null;
    if (colour === "norm" && scene.flat.items.some(hasSpread)) beside.push(element("li", {}, t("heat of alike")));
    if (!scale) return beside;
    const { bounds } = scale;
    const bar = bounds.slice(0, -1).map((bound, at) => element("span", {
      class: `step heat-${at}`, title: `${text(bound)} – ${text(bounds[at + 1])}`,
    }));
    const ends = bounds.length > 2 ? [bounds[0], bounds[bounds.length >> 1], bounds.at(-1)] : [bounds[0]];
    return [
      element("li", { class: "scale" }, element("div", { class: "steps", "aria-hidden": "true" }, bar),
        element("div", { class: "ends" }, ends.map((bound) => element("span", {}, text(bound))))),
      ...beside,
    ];
  }

  function hueRows() {
    const called = (name) => element("bdi", {}, name || t("model itself"));
    const rows = [...marks.hues].slice(0, 7).map(([name, hue]) => row(`hue-${hue}`, called(name)));
    if (marks.hues.size > 7) rows.push(row("hue-7", t("others")));
    return rows;
  }

  function kindRows() {
    const seen = new Set(scene.flat.items.map(({ item }) => scene.lookOf(item).kind));
    return KINDS.filter((kind) => seen.has(kind)).map((kind) => row(`kind-${kind}`, t(`kind ${kind}`)));
  }

  function statusRows() {
    const rows = ["running", "ready", "filling", "done"].map((status) => row(`status-${status}`, t(`status ${status}`)));
    return element("ul", { class: "statuses" }, rows);
  }

  marks.subscribe(draw);
  store.subscribe((state, changed) => {
    if (changed.has("step")) draw(state);
    else if (changed.has("legend")) fold();
  });
  draw(store.get());
  const observer = new ResizeObserver(fold);
  observer.observe(scene.svg);
  signal.addEventListener("abort", () => observer.disconnect());
}
