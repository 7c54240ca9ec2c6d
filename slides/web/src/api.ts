// What the stage's server sends and takes. It mirrors the JSON of slides/stage.

export interface Deck {
  title: string;
  meta: Meta;
  slides: Slide[];
  problems: Problem[];
}

export interface Meta {
  subtitle?: string;
  author?: string;
  institution?: string;
  theme?: string;
  date?: string;
  seconds: number;
  start: number;
  end: number;
}

export interface Slide {
  id: string;
  title: string;
  html: string;
  waits: number;
  beats: number[];
  notes: Note[];
  diagrams: Diagram[];
  steps: StepOffer[];
  coming?: string;
}

export interface Note {
  after: number;
  html: string;
}

export interface Diagram {
  id: string;
  source: string;
  bind?: Binding;
  /** What the nodes are bound to is there only once somebody runs the diagram. */
  planned?: boolean;
  error?: string;
}

export interface Binding {
  nodes: Record<string, string>;
  subgraphs?: Record<string, string>;
  edges: EdgeBinding[];
}

export interface EdgeBinding {
  index: number;
  from: string;
  to: string;
  carries: string[];
  reverse?: boolean;
}

export interface StepOffer {
  walk: string;
  id: string;
  title: string;
  number: number;
  of: number;
  commands: string[];
  checks: string[];
}

export type Phase = "preparing" | "running" | "checking" | "done" | "undoing" | "undone" | "failed";

export interface Step extends StepOffer {
  phase: Phase;
  waiting?: string;
  error?: string;
}

export interface Problem {
  line: number;
  col: number;
  severity: string;
  message: string;
}

export interface Place {
  slide: number;
  slides: number;
  id: string;
  title: string;
  beat: number;
  fragment: number;
  started: number;
}

export type Status = "idle" | "working" | "ready" | "failed" | "suspended" | "missing";

export interface State {
  target: string;
  status: Status;
  message?: string;
  revision?: string;
  since: number;
  at: number;
}

export interface Pulse {
  from: string;
  to: string;
  what: string;
  revision?: string;
  object?: string;
  evidence?: string;
  at: number;
  /** The edges that it travels: their indexes, by the ID of their diagram. */
  edges: Record<string, number[]>;
}

export interface TerminalText {
  offset: number;
  text: string;
}

export interface Hello {
  instance: string;
  version: number;
  place: Place;
  step: Step | null;
  states: State[];
  terminal: TerminalText;
  live: boolean;
}

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  since?: string;
}

/** A close look at one thing in the cluster. */
export interface Detail {
  state: { target: string; status: Status; message?: string; revision?: string };
  yaml?: string;
  conditions?: Condition[];
  events?: ClusterEvent[];
  controller?: string;
  log?: string[];
  problem?: string;
  parts?: { target: string; status: Status; message?: string }[];
}

export interface ClusterEvent {
  type: string;
  reason: string;
  message: string;
  at: string;
  count: number;
}

export interface VersionedDeck {
  version: number;
  deck: Deck;
}

declare global {
  interface Window {
    /** The deck of a page that has no server. */
    fluxdemoDeck?: Deck;
  }
}

export async function fetchDeck(): Promise<VersionedDeck> {
  const answer = await fetch("api/deck");
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as VersionedDeck;
}

export async function fetchDetail(target: string): Promise<Detail> {
  const answer = await fetch("api/detail?target=" + encodeURIComponent(target));
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return (await answer.json()) as Detail;
}

/** Draws the charts of a Kustomization, as SVG. */
export async function fetchCharts(of: string): Promise<string[]> {
  const answer = await fetch("api/charts?of=" + encodeURIComponent(of));
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return ((await answer.json()) as { charts: string[] }).charts;
}

/** Control moves the talk. It needs the stage's token; without one nothing can be moved from this page. */
export class Control {
  constructor(private readonly token: string) {}

  next(): Promise<void> {
    return this.post("api/position", { move: "next" });
  }

  back(): Promise<void> {
    return this.post("api/position", { move: "back" });
  }

  goTo(slide: string, fragment = -1): Promise<void> {
    return this.post("api/position", { slide, fragment });
  }

  step(what: "again" | "skip" | "stop"): Promise<void> {
    return this.post("api/step", { do: what });
  }

  resetClock(): Promise<void> {
    return this.post("api/clock", {});
  }

  private async post(path: string, body: object): Promise<void> {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: "Bearer " + this.token },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error((await answer.text()).trim());
  }
}
