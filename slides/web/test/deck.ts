import type { Deck, Meta, Position, Slide, StepOffer } from "../src/wire";

/** Makes a deck for a test. */
export function deckOf(slides: Partial<Slide>[], meta: Partial<Meta> = {}): Deck {
  return {
    title: "Talk",
    meta: { seconds: 0, start: 0, end: 0, ...meta },
    problems: [],
    slides: slides.map((s, i) => ({
      id: String(i), title: "", html: "", fragments: 0, presses: [], notes: [], diagrams: [], steps: [], ...s,
    })),
  };
}

export function positionAt(deck: Deck, slide: number, fragment = -1): Position {
  return { slide, slides: deck.slides.length, id: deck.slides[slide]?.id ?? "", title: "", press: 0, fragment, started: 0 };
}

export function offer(id: string): StepOffer {
  return { walk: "gitops", id, title: id, number: 1, of: 2, commands: [], checks: [] };
}
