import type { Deck, Position, Slide, Step, StepOffer } from "./wire";

/** The step of a slide after some presses: the next one, or the last one if all are done. */
export function stepAt(slide: Slide | undefined, presses: number): StepOffer | undefined {
  if (!slide) return undefined;
  const next = slide.presses.slice(presses).find((p) => p >= 0) ?? slide.presses.findLast((p) => p >= 0);
  return next === undefined ? undefined : slide.steps[next];
}

/** The next step, on this slide or on a later one. */
export function comingStep(deck: Deck, position: Position): { offer: StepOffer; here: boolean; slide: number } | undefined {
  for (let i = position.slide; i < deck.slides.length; i++) {
    const slide = deck.slides[i];
    const press = slide?.presses.slice(i === position.slide ? position.press : 0).find((p) => p >= 0);
    const offer = press === undefined ? undefined : slide?.steps[press];
    if (offer) return { offer, here: i === position.slide, slide: i };
  }
  return undefined;
}

/** A step's phase in words. */
export function phaseWords(step: Step): string {
  switch (step.phase) {
    case "preparing":
      return "preparing";
    case "running":
      return "running";
    case "checking":
      return step.waiting ? `waiting: ${step.waiting}` : "checking";
    case "done":
      return "done";
    case "undoing":
      return "undoing";
    case "undone":
      return "undone";
    case "failed":
      return "failed";
  }
}
