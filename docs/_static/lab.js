// What a style sheet can't know: how wide a picture is, and whether a text is a table.

const SMALLEST = 0.55; // of its natural size: letters of 7 pixels

/** A picture shrinks to fit the page, but not below where it can be read; then it scrolls. Clicked, it opens whole. */
function fit(image) {
  image.style.minWidth = `${Math.round(SMALLEST * image.naturalWidth)}px`;
  if (image.clientWidth < image.naturalWidth && !image.closest("a")) {
    const link = document.createElement("a");
    Object.assign(link, { href: image.src, className: "full", title: image.alt });
    image.replaceWith(link);
    link.append(image);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll(".cell_output img")) {
    if (image.complete) fit(image);
    else image.addEventListener("load", () => fit(image));
  }
  for (const text of document.querySelectorAll(".cell_output pre")) {
    if (!text.textContent.includes("──")) text.classList.add("prose"); // no table: its lines may be broken
  }
});
