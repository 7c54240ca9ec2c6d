import type { Deck, Hello, Position, Pulse, State, Step, TerminalText } from "./wire";
import { fetchDeck } from "./api";
import { connect } from "./connection";

/** Receives the state of the stage, in order. */
export interface View {
  /** The deck was loaded, or was edited. */
  deck(deck: Deck): void;
  position(position: Position): void;
  step(step: Step | null): void;
  state(state: State): void;
  /** Whether all states of the cluster are known. */
  settle(known: boolean): void;
  pulse(pulse: Pulse): void;
  terminal(text: TerminalText): void;
  connected(is: boolean): void;
}

/** Store keeps the state of the stage, and calls the view in order: the deck comes before its positions. */
export class Store {
  deck: Deck | undefined;
  position: Position | undefined;
  step: Step | null = null;
  readonly states = new Map<string, State>();
  private version = 0;
  private loading: Promise<void> | undefined;

  constructor(private readonly view: View) {}

  /** Shows a deck without a stage. */
  still(deck: Deck): void {
    this.deck = deck;
    this.view.deck(deck);
  }

  /** Follows the stage for as long as the page lives. */
  follow(): void {
    connect({
      connected: (is) => this.view.connected(is),
      hello: (hello) => this.hello(hello),
      deck: (version) => void this.load(version),
      position: (position) => this.moved(position),
      step: (step) => {
        this.step = step;
        this.view.step(step);
      },
      state: (state) => {
        this.states.set(state.target, state);
        this.view.state(state);
      },
      pulse: (pulse) => this.view.pulse(pulse),
      terminal: (text) => this.view.terminal(text),
    });
  }

  private hello(hello: Hello): void {
    this.states.clear();
    for (const s of hello.states) this.states.set(s.target, s);
    this.position = hello.position;
    this.step = hello.step;
    void this.load(hello.version, hello.instance).then(() => {
      for (const s of this.states.values()) this.view.state(s);
      this.view.settle(hello.live);
      this.view.step(this.step);
      this.view.terminal(hello.terminal);
    });
  }

  private instance = "";

  /** Loads the deck if it has changed, then shows the position. */
  private async load(version: number, instance = this.instance): Promise<void> {
    await this.loading;
    if (version !== this.version || instance !== this.instance) {
      this.loading = this.fetch(instance);
      await this.loading;
    }
    if (this.position) this.moved(this.position);
  }

  private async fetch(instance: string): Promise<void> {
    try {
      const { version, deck } = await fetchDeck();
      this.version = version;
      this.instance = instance;
      this.deck = deck;
      this.view.deck(deck);
      for (const s of this.states.values()) this.view.state(s);
    } catch {
      this.version = 0; // the stage is gone; it sends hello again when it is back
    }
  }

  private moved(position: Position): void {
    this.position = position;
    if (this.deck && position.slides === this.deck.slides.length) this.view.position(position);
  }
}
