import type { Deck, Position } from "./wire";

/** The progress of the talk compared with its time. Times are in milliseconds. */
export interface Pace {
  allotted: number; // 0 if the deck does not set it
  elapsed: number; // 0 before the talk begins
  slides: number; // how much of the slides is done, from 0 to 1
  ahead: number; // how far the talk is ahead of its time; negative if it is behind
}

/** Computes the pace. Between the start and end times of its deck, a talk uses these instead of its clock. */
export function pace(deck: Deck, position: Position | undefined, now: number): Pace {
  const { start, end, seconds } = deck.meta;
  const scheduled = start > 0 && end > start && now >= start && now <= end;
  const allotted = scheduled ? end - start : seconds > 0 ? seconds * 1000 : Math.max(0, end - start);
  const began = scheduled ? start : (position?.started ?? 0);
  const elapsed = began > 0 ? Math.max(0, now - began) : 0;
  const last = deck.slides.length - 1;
  const slides = position && last > 0 ? Math.min(1, (position.slide + part(deck, position)) / last) : 0;
  return { allotted, elapsed, slides, ahead: allotted > 0 && began > 0 ? slides * allotted - elapsed : 0 };
}

/** How much of the current slide is done, from 0 to 1. */
function part(deck: Deck, position: Position): number {
  const presses = deck.slides[position.slide]?.presses.length ?? 0;
  return presses > 0 && position.slide < deck.slides.length - 1 ? position.press / (presses + 1) : 0;
}
