import type { Command } from "./keys";
import type { Deck, Position } from "./wire";

/** What an address names: a slide, and the last of its fragments that shows, counted from 0; -1 for none. */
export type Address = Pick<Position, "slide" | "fragment">;

/** The slide and fragment that a hash names: #/gitops or #/gitops/2. */
export function parseHash(hash: string, deck: Deck): Address | undefined {
  const [, id = "", fragment = ""] = hash.match(/^#\/([^/]*)(?:\/(\d+))?$/) ?? [];
  const byID = deck.slides.findIndex((s) => s.id === decodeURIComponent(id));
  const slide = byID >= 0 ? byID : /^\d+$/.test(id) ? Number(id) - 1 : -1;
  if (slide < 0 || slide >= deck.slides.length) return undefined;
  return { slide, fragment: fragment === "" ? -1 : Number(fragment) - 1 };
}

/** The hash that names a position. */
export function hashOf(position: Pick<Position, "id" | "fragment">): string {
  return `#/${encodeURIComponent(position.id)}${position.fragment >= 0 ? `/${position.fragment + 1}` : ""}`;
}

/** The position after a command in a deck without a stage; undefined if the command does not move it. */
export function turn(command: Command, { slide, fragment }: Address, deck: Deck): Address | undefined {
  const last = deck.slides.length - 1;
  const fragments = (i: number): number => deck.slides[i]?.fragments ?? 0;
  switch (command.action) {
    case "next":
      if (fragment + 1 < fragments(slide)) return { slide, fragment: fragment + 1 };
      return slide < last ? { slide: slide + 1, fragment: -1 } : { slide, fragment };
    case "back":
      if (fragment >= 0) return { slide, fragment: fragment - 1 };
      return slide > 0 ? { slide: slide - 1, fragment: fragments(slide - 1) - 1 } : { slide, fragment };
    case "first":
      return { slide: 0, fragment: -1 };
    case "last":
      return { slide: last, fragment: -1 };
    case "slide":
      return command.number >= 1 && command.number <= last + 1 ? { slide: command.number - 1, fragment: -1 } : undefined;
    default:
      return undefined;
  }
}
