/** Makes an element with classes, and with what is in it. */
export function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  classes = "",
  ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(name);
  if (classes) e.className = classes;
  e.append(...content);
  return e;
}

const svgNS = "http://www.w3.org/2000/svg";

/** Makes an SVG element with attributes. */
export function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Record<string, string | number> = {},
): SVGElementTagNameMap[K] {
  const e = document.createElementNS(svgNS, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, String(v));
  return e;
}
