/** Returns the texts of a page that stand out from their ground by less than 4.5 to 1, with how much. */
() => {
  const brush = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
  const rgb = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
    return {parts: [red, green, blue], alpha: alpha / 255};
  };
  const over = (above, under) => above.parts.map((part, at) => part * above.alpha + under[at] * (1 - above.alpha));
  const luminance = (parts) => {
    const [red, green, blue] = parts.map((part) => (part / 255 <= .04045 ? part / 255 / 12.92 : ((part / 255 + .055) / 1.055) ** 2.4));
    return .2126 * red + .7152 * green + .0722 * blue;
  };
  const ground = (element) => {
    const piece = element.closest('.item, .frame');
    const wire = element.closest('.wire');
    if (piece) {
      const shape = piece.querySelector('.body') ?? piece.querySelector('.header');
      return over(rgb(getComputedStyle(shape).fill), rgb(getComputedStyle(document.body).backgroundColor).parts);
    }
    if (wire) return rgb(getComputedStyle(document.body).backgroundColor).parts;
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgb(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((parts, layer) => over(layer, parts), [255, 255, 255]);
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const said = walker.currentNode.textContent.trim();
    if (!said || element.closest('script, noscript, style, title, option, [hidden], .mark') || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = rgb(element instanceof SVGElement ? style.fill : style.color);
    const paper = ground(element);
    const [dark, light] = [luminance(over(ink, paper)), luminance(paper)].sort((a, b) => a - b);
    const ratio = (light + .05) / (dark + .05);
    if (ratio < 4.5) low.push(`${said.slice(0, 40)}: ${ratio.toFixed(2)} in ${element.className.baseVal ?? element.className}`);
  }
  return low;
}
