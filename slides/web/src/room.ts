import type { Deck, Position, Pulse, State, Step, TerminalText } from "./wire";
import { el } from "./dom";
import { LiveDiagrams } from "./live-diagrams";
import type { Panel } from "./panel";
import { Slides } from "./slides";
import { stepAt } from "./steps";
import type { View } from "./store";
import { Terminal } from "./terminal";

/** Room shows a slide, and the terminal beside it if the slide has a step. */
export class Room {
  readonly live = new LiveDiagrams();
  readonly terminal = new Terminal();
  readonly root = el("div", "room");
  private readonly slides: Slides;
  private deck: Deck | undefined;
  private position: Position | undefined;
  private step: Step | null = null;

  constructor(settled: () => void) {
    const stage = el("main", "slide-box");
    this.root.append(stage, this.terminal.root);
    this.slides = new Slides(stage, this.live, settled);
  }

  show(deck: Deck): void {
    this.deck = deck;
    this.slides.show(deck);
    this.arrange();
  }

  goTo(position: Position): void {
    this.position = position;
    this.arrange();
    this.slides.goTo(position);
  }

  setStep(step: Step | null): void {
    this.step = step;
    this.arrange();
  }

  settle(known: boolean): void {
    this.live.settle(known);
  }

  state(state: State): void {
    this.live.state(state);
  }

  pulse(pulse: Pulse): void {
    this.live.pulse(pulse);
  }

  write(text: TerminalText): void {
    this.terminal.write(text);
  }

  private arrange(): void {
    const slide = this.deck?.slides[this.position?.slide ?? 0];
    const offer = stepAt(slide, this.position?.press ?? 0);
    // A running step shows on every slide, and one that has ended only on its own.
    const running = this.step !== null && ["preparing", "running", "checking", "undoing"].includes(this.step.phase);
    const about = running && this.step ? this.step : offer;
    this.root.classList.toggle("with-terminal", about !== undefined);
    this.terminal.about(about, this.step);
    if (about) this.terminal.open();
  }
}

/** What a view does with what happens in the cluster and on the terminal: its room shows it, and its panel. */
export function inRoom(room: Room, panel: Panel): Pick<View, "state" | "settle" | "pulse" | "terminal"> {
  return {
    state(s) {
      room.state(s);
      panel.changed(s.target);
    },
    settle: (known) => room.settle(known),
    pulse: (p) => room.pulse(p),
    terminal: (t) => room.write(t),
  };
}
