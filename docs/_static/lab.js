// What a style sheet can't know: how wide a picture is, and whether a text is a table.

/** A picture shrinks to fit the page, but not below where it can be read; then it scrolls. */
function keepReadable(image) {
  image.style.minWidth = `${Math.round(0.62 * image.naturalWidth)}px`;
}

document.addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll(".cell_output img")) {
    if (image.complete) keepReadable(image);
    else image.addEventListener("load", () => keepReadable(image));
  }
  for (const text of document.querySelectorAll(".cell_output pre")) {
    if (!text.textContent.includes("──")) text.classList.add("prose"); // no table: its lines may be broken
  }
});
