/**
 * The card: everything that is known of what is selected, and of the whole where nothing is.
 *
 * Relies on `card_box.js`, `card_node.js` and `dom.js`.
 */

import { boxCard } from "./card_box.js";
import { nodeCard } from "./card_node.js";
import { change, element, fill } from "./dom.js";

/** Builds the card. */
export function mount(host, context) {
  const { store, t } = context;
  change(host, { "aria-label": t("card"), tabindex: "0" });

  function draw({ selected }) {
    const parts = selected?.node !== undefined ? nodeCard(selected.node, context) : boxCard(selected?.box ?? 0, context);
    const close = selected ? element("button", {
      type: "button", class: "card-close", "aria-label": t("close card"), title: t("close card"),
      onclick: () => store.set({ selected: null }),
    }, "✕") : null;
    host.classList.toggle("whole", !selected);
    fill(host, close, parts);
    host.scrollTop = 0;
  }

  store.subscribe((state, changed) => {
    const isOpened = changed.has("open") && state.selected?.box !== undefined;
    if (changed.has("selected") || changed.has("trace") || changed.has("graph") || isOpened) draw(store.get());
  });
  draw(store.get());
}
