/**
 * Search: nodes and boxes by name, leaf, module, line or number, and a jump to each.
 *
 * Relies on `dom.js` and `keys.js`.
 */

import { change, element, fill } from "./dom.js";
import { focusOn } from "./keys.js";

const SHOWN = 50;

/**
 * Returns what fits a text, best first: `{item, title, more}`.
 *
 * @param {Object} graph
 * @param {string} query
 * @returns {{found: Object[], total: number}}
 */
export function find(graph, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return { found: [], total: 0 };
  const number = /^#?(\d+)$/.exec(wanted);
  const found = [];
  if (number && Number(number[1]) < graph.nodeCount) found.push({ ...nodeEntry(graph, Number(number[1])), rank: -1 });
  for (let box = 1; box < graph.boxCount; box++) {
    const { title, class: name } = graph.box(box);
    const rank = rankOf(wanted, [title, name]);
    if (rank !== null) found.push({ item: graph.boxItem(box), title, more: name ?? "", rank });
  }
  for (let id = 0; id < graph.nodeCount; id++) {
    const { file, line } = graph.placeOf(id);
    const place = placeText(file, line);
    const rank = rankOf(wanted, [graph.variableOf(id), graph.nameOf(id), graph.moduleOf(id), place]);
    if (rank !== null && !(number && found[0]?.item === id)) found.push({ item: id, rank, isLater: true });
  }
  found.sort((left, right) => left.rank - right.rank || left.item - right.item);
  const shown = found.slice(0, SHOWN).map((entry) => (entry.isLater ? nodeEntry(graph, entry.item) : entry));
  return { found: shown, total: found.length };
}

function nodeEntry(graph, id) {
  const variable = graph.variableOf(id);
  const { file, line } = graph.placeOf(id);
  const more = variable === null ? [graph.moduleOf(id), placeText(file, line)] : [graph.nameOf(id)];
  return { item: id, title: `${variable ?? graph.nameOf(id)} #${id}`, more: more.filter(Boolean).join(" · ") };
}

function placeText(file, line) {
  return file === null ? null : `${file.slice(file.lastIndexOf("/") + 1)}:${line}`;
}

/** 0 for the whole text, 1 for its beginning, 2 for a part; one more for each later text. Null for none. */
function rankOf(wanted, texts) {
  let best = null;
  texts.forEach((text, place) => {
    if (!text) return;
    const known = text.toLowerCase();
    if (!known.includes(wanted)) return;
    const rank = place * 3 + (known === wanted ? 0 : known.startsWith(wanted) ? 1 : 2);
    if (best === null || rank < best) best = rank;
  });
  return best;
}

/** Builds the field and the list of what was found: a combobox. */
export function mount(host, { model, store, t, choose, scene, signal }) {
  const field = element("input", {
    type: "search", id: "search", placeholder: t("search hint"), autocomplete: "off", spellcheck: "false",
    role: "combobox", "aria-label": t("search"), "aria-expanded": "false", "aria-controls": "found",
    "aria-autocomplete": "list", oninput: look, onfocus: look, onkeydown: key,
  });
  const list = element("ul", { id: "found", role: "listbox", "aria-label": t("found"), hidden: true });
  const said = element("p", { class: "found-count", role: "status" });
  const popup = element("div", { class: "found", hidden: true }, said, list);
  fill(host, field, popup);
  let entries = [];
  let at = -1;

  function look() {
    const { found, total } = find(model.graphOf(store.get()), field.value);
    entries = found;
    at = found.length ? 0 : -1;
    fill(list, found.map((entry, index) => element("li", {
      role: "option", id: `found-${index}`, onpointerdown: (event) => { event.preventDefault(); take(index); },
    }, element("bdi", { class: "found-title" }, entry.title), " ", element("bdi", { class: "found-more" }, entry.more))));
    said.textContent = !field.value.trim() ? "" : total === 0 ? t("found none") : total > found.length
      ? t("found some", { shown: found.length, count: total }) : t("found all", { count: total });
    open(Boolean(field.value.trim()));
    point();
  }

  function open(isOpen) {
    popup.hidden = !isOpen;
    list.hidden = !entries.length;
    change(field, { "aria-expanded": String(isOpen && entries.length > 0) });
  }

  function point() {
    [...list.children].forEach((row, index) => {
      change(row, { "aria-selected": String(index === at) });
      if (index === at) row.scrollIntoView({ block: "nearest" });
    });
    change(field, { "aria-activedescendant": at < 0 ? null : `found-${at}` });
  }

  function take(index) {
    const entry = entries[index];
    if (!entry) return;
    open(false);
    choose(entry.item);
    requestAnimationFrame(() => focusOn(scene, entry.item)); // once it's drawn
  }

  function key(event) {
    if (event.key === "Enter") take(at);
    else if (event.key === "Escape") scene.svg.focus({ preventScroll: true });
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (popup.hidden) look();
      at = entries.length ? (at + (event.key === "ArrowDown" ? 1 : -1) + entries.length) % entries.length : -1;
      point();
    } else return;
    event.preventDefault();
  }

  document.addEventListener("pointerdown", (event) => {
    if (!host.contains(event.target)) open(false);
  }, { signal });
  field.addEventListener("blur", () => open(false));
}
