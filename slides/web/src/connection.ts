import type { Hello, Place, Pulse, State, Step, TerminalText, Version } from "./wire";

/** What the stage says, while it says it. */
export interface Listener {
  hello(hello: Hello): void;
  deck(version: number): void;
  place(place: Place): void;
  step(step: Step): void;
  state(state: State): void;
  pulse(pulse: Pulse): void;
  terminal(text: TerminalText): void;
  connected(is: boolean): void;
}

/** A browser that was refused gives up; this is how long we wait before we try again for it. */
const retry = 400;

/**
 * Connects to the stage, and again whenever the connection is lost. A page that nobody sees is not connected, since
 * browsers allow six connections to one server; it is up to date as soon as it is seen again.
 */
export function connect(listener: Listener): void {
  let source: EventSource | undefined;
  let timer = 0;

  const open = (): void => {
    window.clearTimeout(timer);
    source?.close();
    const s = new EventSource("api/events");
    source = s;
    const on = <T>(name: string, take: (v: T) => void): void => {
      s.addEventListener(name, (e) => take(JSON.parse((e as MessageEvent<string>).data) as T));
    };
    on<Hello>("hello", (v) => {
      listener.connected(true);
      listener.hello(v);
    });
    on<Version>("deck", (v) => listener.deck(v.version));
    on<Place>("place", (v) => listener.place(v));
    on<Step>("step", (v) => listener.step(v));
    on<State>("state", (v) => listener.state(v));
    on<Pulse>("pulse", (v) => listener.pulse(v));
    on<TerminalText>("terminal", (v) => listener.terminal(v));
    s.onerror = () => {
      listener.connected(false);
      if (s.readyState === EventSource.CLOSED) timer = window.setTimeout(open, retry);
    };
  };

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      open();
    } else {
      window.clearTimeout(timer);
      source?.close();
    }
  });
  if (document.visibilityState === "visible") open();
}
