import type { Wish } from "./keys";
import type { Deck, Place } from "./wire";

/** A slide, and the last of its pauses that is over, counted from 0; -1 when none is. */
export type Position = Pick<Place, "slide" | "fragment">;

/** The slide and pause that an address names: #/gitops or #/gitops/2. */
export function parseHash(hash: string, deck: Deck): Position | undefined {
  const [, id = "", pause = ""] = hash.match(/^#\/([^/]*)(?:\/(\d+))?$/) ?? [];
  const byID = deck.slides.findIndex((s) => s.id === decodeURIComponent(id));
  const slide = byID >= 0 ? byID : /^\d+$/.test(id) ? Number(id) - 1 : -1;
  if (slide < 0 || slide >= deck.slides.length) return undefined;
  return { slide, fragment: pause === "" ? -1 : Number(pause) - 1 };
}

/** The address of a place. */
export function hashOf(place: Pick<Place, "id" | "fragment">): string {
  return `#/${encodeURIComponent(place.id)}${place.fragment >= 0 ? `/${place.fragment + 1}` : ""}`;
}

/** Where a key leads in a deck that has no stage behind it; undefined when it leads nowhere. */
export function turn(wish: Wish, { slide, fragment }: Position, deck: Deck): Position | undefined {
  const last = deck.slides.length - 1;
  const waits = (i: number): number => deck.slides[i]?.waits ?? 0;
  switch (wish.do) {
    case "next":
      if (fragment + 1 < waits(slide)) return { slide, fragment: fragment + 1 };
      return slide < last ? { slide: slide + 1, fragment: -1 } : { slide, fragment };
    case "back":
      if (fragment >= 0) return { slide, fragment: fragment - 1 };
      return slide > 0 ? { slide: slide - 1, fragment: waits(slide - 1) - 1 } : { slide, fragment };
    case "first":
      return { slide: 0, fragment: -1 };
    case "last":
      return { slide: last, fragment: -1 };
    case "slide":
      return wish.number >= 1 && wish.number <= last + 1 ? { slide: wish.number - 1, fragment: -1 } : undefined;
    default:
      return undefined;
  }
}
