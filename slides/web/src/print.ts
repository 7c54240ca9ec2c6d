import type { Deck } from "./wire";
import { el } from "./dom";
import { fit } from "./fit";
import { LiveDiagrams } from "./live-diagrams";
import { settle } from "./ready";
import { drawAll, page } from "./slides";
import { applyTheme } from "./theme";

/** Shows all slides below each other, one on each printed page, with all fragments. */
export async function print(params: URLSearchParams, deck: Deck): Promise<void> {
  applyTheme(params, deck.meta.theme);
  document.title = deck.title;
  document.body.className = "print";
  const pages = deck.slides.map(page);
  for (const p of pages) {
    for (const f of p.querySelectorAll(".fragment")) f.classList.remove("fragment");
    document.body.append(el("div", "sheet", p));
  }
  const live = new LiveDiagrams();
  for (const [i, p] of pages.entries()) {
    const slide = deck.slides[i];
    if (slide) await drawAll(p, slide, live);
    fit(p);
  }
  await document.fonts.ready;
  pages.forEach(fit);
  settle();
}
