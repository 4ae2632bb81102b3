/**
 * Makes elements. Text is always set as text, never as markup: names in a page are hostile input.
 *
 * Relies on nothing.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Returns a new HTML element.
 *
 * @param {string} tag
 * @param {Object} attributes `onclick: function` adds a listener, `style: {width: "3px"}` sets properties, `true` is an
 *   attribute without a value; null, undefined and false are left out.
 * @param {...(Node|string|number|null|Array)} children Texts become text nodes; null is left out.
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * Returns a new SVG element; arguments as for `element`.
 *
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * Puts children into an element in place of those that it has.
 *
 * @param {Element} host
 * @param {...(Node|string|number|null|Array)} children
 */
export function fill(host, ...children) {
  host.replaceChildren(...children.flat(Infinity).filter(present).map(asNode));
}

/**
 * Sets attributes of an element that is there; null, undefined and false remove one.
 *
 * @param {Element} target
 * @param {Object} attributes
 */
export function change(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      target.addEventListener(name.slice(2), value);
    } else if (name === "style") {
      for (const [property, text] of Object.entries(value)) target.style.setProperty(property, text);
    } else if (!present(value)) {
      target.removeAttribute(name);
    } else {
      const text = value === true ? "" : String(value);
      if (target.getAttribute(name) !== text) target.setAttribute(name, text);
    }
  }
}

/**
 * Returns a function that runs `work` once, before the next picture, however often it is called until then.
 *
 * @param {function(): void} work
 * @returns {function(): void}
 */
export function oncePerFrame(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      work();
    });
  };
}

function filled(target, attributes, children) {
  change(target, attributes);
  for (const child of children.flat(Infinity)) if (present(child)) target.append(asNode(child));
  return target;
}

function present(value) {
  return value !== null && value !== undefined && value !== false;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}
