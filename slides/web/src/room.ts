import type { Deck, Place, Pulse, State, Step, TerminalText } from "./wire";
import { el } from "./dom";
import { Lively } from "./lively";
import { Slides } from "./slides";
import { stepAt } from "./steps";
import { Terminal } from "./terminal";

/** Room is a slide, and beside it the terminal while the slide has a step. */
export class Room {
  readonly lively = new Lively();
  readonly terminal = new Terminal();
  readonly root = el("div", "room");
  private readonly slides: Slides;
  private deck: Deck | undefined;
  private place: Place | undefined;
  private step: Step | null = null;

  constructor(settled: () => void) {
    const stage = el("main", "slide-box");
    this.root.append(stage, this.terminal.root);
    this.slides = new Slides(stage, this.lively, settled);
  }

  show(deck: Deck): void {
    this.deck = deck;
    this.slides.show(deck);
    this.arrange();
  }

  goTo(place: Place): void {
    this.place = place;
    this.arrange();
    this.slides.goTo(place);
  }

  setStep(step: Step | null): void {
    this.step = step;
    this.arrange();
  }

  settle(known: boolean): void {
    this.lively.settle(known);
  }

  state(state: State): void {
    this.lively.state(state);
  }

  pulse(pulse: Pulse): void {
    this.lively.pulse(pulse);
  }

  write(text: TerminalText): void {
    this.terminal.write(text);
  }

  private arrange(): void {
    const slide = this.deck?.slides[this.place?.slide ?? 0];
    const offer = stepAt(slide, this.place?.beat ?? 0);
    // A step that runs is shown wherever the talk is; one that has run, on its own slide.
    const running = this.step !== null && ["preparing", "running", "checking", "undoing"].includes(this.step.phase);
    const about = running && this.step ? this.step : offer;
    this.root.classList.toggle("with-terminal", about !== undefined);
    this.terminal.about(about, this.step);
    if (about) this.terminal.open();
  }
}
