/** The page's entry: reads the data and the words, and says what there is. */
const data = JSON.parse(document.getElementById("data").textContent);

const title = document.createElement("h1");
title.textContent = data.title ?? "autograd_lab";
document.getElementById("top").append(title);
