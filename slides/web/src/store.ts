import type { Deck, Hello, Place, Pulse, State, Step, TerminalText } from "./wire";
import { fetchDeck } from "./api";
import { connect } from "./connection";

/** What a view wants to know. */
export interface View {
  /** The deck is there, or was edited. */
  deck(deck: Deck): void;
  place(place: Place): void;
  step(step: Step | null): void;
  state(state: State): void;
  /** Whether all there is in the cluster was told. */
  settle(known: boolean): void;
  pulse(pulse: Pulse): void;
  terminal(text: TerminalText): void;
  connected(is: boolean): void;
}

/** Store keeps what the stage has said, and tells the view in an order that fits: the deck comes before its places. */
export class Store {
  deck: Deck | undefined;
  place: Place | undefined;
  step: Step | null = null;
  readonly states = new Map<string, State>();
  private version = 0;
  private loading: Promise<void> | undefined;

  constructor(private readonly view: View) {}

  /** Shows a deck that has no stage behind it. */
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
      place: (place) => this.moved(place),
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
    this.place = hello.place;
    this.step = hello.step;
    void this.load(hello.version, hello.instance).then(() => {
      for (const s of this.states.values()) this.view.state(s);
      this.view.settle(hello.live);
      this.view.step(this.step);
      this.view.terminal(hello.terminal);
    });
  }

  private instance = "";

  /** Loads the deck if it is another one than the one that is shown, then shows the place. */
  private async load(version: number, instance = this.instance): Promise<void> {
    await this.loading;
    if (version !== this.version || instance !== this.instance) {
      this.loading = this.fetch(instance);
      await this.loading;
    }
    if (this.place) this.moved(this.place);
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
      this.version = 0; // the stage went away just now; it says hello again when it is back
    }
  }

  private moved(place: Place): void {
    this.place = place;
    if (this.deck && place.slides === this.deck.slides.length) this.view.place(place);
  }
}
