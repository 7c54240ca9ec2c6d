// Written by `make wire` from the types that slides/stage sends and takes. Change those.

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
  fragments: number;
  presses: number[];
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

export interface Problem {
  line: number;
  col: number;
  severity: string;
  message: string;
}

export interface VersionedDeck {
  version: number;
  deck: Deck;
}

export interface Version {
  version: number;
}

export type Phase = "preparing" | "running" | "checking" | "done" | "undoing" | "undone" | "failed";

export interface Step {
  walk: string;
  id: string;
  title: string;
  number: number;
  of: number;
  commands: string[];
  checks: string[];
  phase: Phase;
  waiting?: string;
  error?: string;
}

export interface Position {
  slide: number;
  slides: number;
  id: string;
  title: string;
  press: number;
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
  edges: Record<string, number[]>;
}

export interface TerminalText {
  offset: number;
  text: string;
}

export interface Hello {
  instance: string;
  version: number;
  position: Position;
  step: Step | null;
  states: State[];
  terminal: TerminalText;
  live: boolean;
}

export interface Detail {
  state: TargetState;
  yaml?: string;
  conditions?: Condition[];
  events?: ClusterEvent[];
  controller?: string;
  log?: string[];
  problem?: string;
  parts?: TargetState[];
}

export interface TargetState {
  target: string;
  status: Status;
  message?: string;
  revision?: string;
  since: string;
}

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  since: string;
}

export interface ClusterEvent {
  type: string;
  reason: string;
  message: string;
  at: string;
  count: number;
}

export interface Charts {
  charts: string[];
}

export interface PositionRequest {
  command?: string;
  slide?: string;
  fragment?: number;
  wait?: boolean;
}

export interface StepRequest {
  command?: string;
  wait?: boolean;
}
