import type { Deck, Place } from "./wire";

/** How the talk stands against its plan. Times are in milliseconds. */
export interface Pace {
  allotted: number; // 0 when nobody has said
  elapsed: number; // 0 before the talk has begun
  slides: number; // which part of the slides is over, 0 to 1
  ahead: number; // how far the slides are before the time; below zero behind
}

/** Works out the pace. A talk that has a start and an end in its deck runs by them while they last. */
export function pace(deck: Deck, place: Place | undefined, now: number): Pace {
  const { start, end, seconds } = deck.meta;
  const scheduled = start > 0 && end > start && now >= start && now <= end;
  const allotted = scheduled ? end - start : seconds > 0 ? seconds * 1000 : Math.max(0, end - start);
  const began = scheduled ? start : (place?.started ?? 0);
  const elapsed = began > 0 ? Math.max(0, now - began) : 0;
  const last = deck.slides.length - 1;
  const slides = place && last > 0 ? Math.min(1, (place.slide + part(deck, place)) / last) : 0;
  return { allotted, elapsed, slides, ahead: allotted > 0 && began > 0 ? slides * allotted - elapsed : 0 };
}

/** Which part of the slide itself is over. */
function part(deck: Deck, place: Place): number {
  const beats = deck.slides[place.slide]?.beats.length ?? 0;
  return beats > 0 && place.slide < deck.slides.length - 1 ? place.beat / (beats + 1) : 0;
}
