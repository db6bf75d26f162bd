// Elements: made from text and attributes only, so that no datum can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element with a class, text and children. */
export function element(tag, { className = "", text = null, children = [], ...rest } = {}) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== null) node.textContent = text;
  for (const [name, value] of Object.entries(rest)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Return an SVG element with attributes. */
export function shape(tag, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

/** Return the element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Show or hide an element. */
export function show(node, visible) {
  node.hidden = !visible;
}
