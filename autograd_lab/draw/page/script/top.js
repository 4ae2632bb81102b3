/**
 * The line at the top: the title, the search, what the drawing is coloured by, and the page's buttons.
 *
 * Relies on `colours.js`, `dom.js`, `export.js` and `search.js`.
 */

import { mountChoice } from "./colours.js";
import { element, fill } from "./dom.js";
import { asSvg, download } from "./export.js";
import { mount as mountNotices } from "./notices.js";
import { mount as mountSearch } from "./search.js";

const THEMES = [null, "light", "dark"];
const THEME_SIGNS = { null: "◐", light: "☀", dark: "☾" };

/**
 * Builds the line, and under it what is worth a look. `backwards` is the element where the choice of a trace stands.
 */
export function mountTop(host, context, backwards) {
  const { data, t, scene, legend, store, languages } = context;
  const title = data.title ?? titleOf(scene.graph, t);
  document.title = title;
  const [search, colour] = [element("div", { class: "search", role: "search" }), element("div", { class: "colour" })];
  const notices = element("ul", { class: "notices", "aria-label": t("worth a look") });
  const nextTheme = () => THEMES[(THEMES.indexOf(store.get().theme) + 1) % THEMES.length];
  const theme = button("theme", "", () => store.set({ theme: nextTheme() }));
  const language = element("button", {
    type: "button", lang: otherLanguage().code, title: otherLanguage().title, onclick: () => store.set({ language: otherLanguage().key }),
  }, otherLanguage().name);
  const svg = button("save svg", "SVG", () => download(asSvg(scene, legend, title), `${fileName(title)}.svg`, "image/svg+xml"));
  fill(host,
    element("div", { class: "bar" }, element("h1", {}, element("bdi", {}, title)), backwards, search, colour,
      element("div", { class: "buttons" }, svg, theme, language)),
    notices);
  mountSearch(search, context);
  mountChoice(colour, context);
  mountNotices(notices, context);

  function button(key, sign, onclick) {
    return element("button", { type: "button", title: t(key), "aria-label": t(key), onclick }, sign);
  }

  function otherLanguage() {
    return languages.find(({ key }) => key !== store.get().language) ?? languages[0];
  }

  function show({ theme: chosen }) {
    const label = t(`theme ${chosen ?? "system"}`);
    Object.assign(theme, { title: label, ariaLabel: label, textContent: THEME_SIGNS[chosen] });
  }
  store.subscribe(show);
  show(store.get());
}

/** A title for a page that was given none: the model's class says what it's about. */
function titleOf(graph, t) {
  const { class: model } = graph.box(0);
  return model === null ? t("title") : t("title of", { name: model });
}

function fileName(title) {
  return title.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^_+|_+$/g, "") || "backward";
}
