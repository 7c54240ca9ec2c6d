import type { Deck, Place, Slide, Step, StepOffer } from "./wire";

/** The step that a slide is about after so many beats: the next one, or the last one when all are over. */
export function stepAt(slide: Slide | undefined, beat: number): StepOffer | undefined {
  if (!slide) return undefined;
  const next = slide.beats.slice(beat).find((b) => b >= 0) ?? slide.beats.findLast((b) => b >= 0);
  return next === undefined ? undefined : slide.steps[next];
}

/** The step to come: on this slide, or on one after it. */
export function comingStep(deck: Deck, place: Place): { offer: StepOffer; here: boolean; slide: number } | undefined {
  for (let i = place.slide; i < deck.slides.length; i++) {
    const slide = deck.slides[i];
    const beat = slide?.beats.slice(i === place.slide ? place.beat : 0).find((b) => b >= 0);
    const offer = beat === undefined ? undefined : slide?.steps[beat];
    if (offer) return { offer, here: i === place.slide, slide: i };
  }
  return undefined;
}

/** A step's phase in words. */
export function phaseWords(step: Step): string {
  switch (step.phase) {
    case "preparing":
      return "getting ready";
    case "running":
      return "running";
    case "checking":
      return step.waiting ? `waiting: ${step.waiting}` : "waiting for the state";
    case "done":
      return "done";
    case "undoing":
      return "taking it back";
    case "undone":
      return "taken back";
    case "failed":
      return "failed";
  }
}
