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

/** A time span as people say it: 8 s, 3 min, 2 h, 5 d. */
export function ago(milliseconds: number): string {
  const s = Math.max(0, Math.round(milliseconds / 1000));
  if (s < 100) return `${s} s`;
  if (s < 100 * 60) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

/** A clock's time span: 2:05, 1:02:05; with a minus when it is below zero. */
export function clock(milliseconds: number): string {
  const sign = milliseconds < 0 ? "−" : "";
  const s = Math.floor(Math.abs(milliseconds) / 1000);
  const two = (n: number): string => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  const m = Math.floor((s % 3600) / 60);
  return sign + (h > 0 ? `${h}:${two(m)}` : String(m)) + ":" + two(s % 60);
}
