import type { Hello, Position, Pulse, State, Step, TerminalText, Version } from "./wire";

/** Receives the stage's messages as they arrive. */
export interface Listener {
  hello(hello: Hello): void;
  deck(version: number): void;
  position(position: Position): void;
  step(step: Step): void;
  state(state: State): void;
  pulse(pulse: Pulse): void;
  terminal(text: TerminalText): void;
  connected(is: boolean): void;
}

/** The delay before a new connection, in milliseconds. A browser does not retry after a refused one. */
const retry = 400;

/**
 * Connects to the stage, and again whenever the connection is lost. A hidden page disconnects, because browsers allow
 * only six connections to one server. It is up to date as soon as it is visible again.
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
    on<Position>("position", (v) => listener.position(v));
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
