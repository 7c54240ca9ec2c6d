import { el } from "../dom";

/** The pieces of a text, in turn text and code, which stands between backquotes. */
export function pieces(text: string): { text: string; code: boolean }[] {
  return text.split("`").map((part, i) => ({ text: part, code: i % 2 === 1 })).filter((p) => p.text !== "");
}

/** A paragraph as elements. */
export function rich(text: string): Node[] {
  return pieces(text).map((p) => (p.code ? el("code", "", p.text) : document.createTextNode(p.text)));
}

/** Paragraphs as elements; those that begin with "- " are items of a list. */
export function paragraphs(texts: string[]): HTMLElement[] {
  const all: HTMLElement[] = [];
  for (const text of texts.map((t) => t.trim()).filter((t) => t !== "")) {
    if (!text.startsWith("- ")) {
      all.push(el("p", "", ...rich(text)));
      continue;
    }
    const last = all.at(-1);
    const list = last instanceof HTMLUListElement ? last : el("ul");
    if (list !== last) all.push(list);
    list.append(el("li", "", ...rich(text.slice(2))));
  }
  return all;
}

/** What the page says of its progress: 3/10. */
export function progress(position: number, of: number): string {
  return `${Math.min(position + 1, of)}/${of}`;
}
