// Written by `make wire` from the types that slides/learn sends and takes. Change those.
import type { Diagram, State } from "../wire";

export interface Message {
  event: string;
  data: unknown;
}

export interface Hello {
  lesson: Lesson;
  states: State[];
  live: boolean;
}

export interface Lesson {
  walk: string;
  title: string;
  intro: string[];
  position: number;
  of: number;
  step: LessonStep | null;
  before?: Before;
  busy?: string;
  taken: number;
  waiting?: string;
  trouble?: string;
  note?: string;
  follow?: string;
  output?: string;
  diagram?: Diagram;
  first: string[];
  terminal: boolean;
  links: Link[];
  again: string;
  ready: boolean;
  ended: boolean;
}

export interface Link {
  name: string;
  url: string;
}

export interface LessonStep {
  id: string;
  title: string;
  task: string[];
  looks: boolean;
  do: string[];
  hints: Hint[];
  levels: number;
  result: Result[];
  at: number;
  asked: boolean;
}

export interface Hint {
  text?: string;
  commands: string[];
}

export interface Result {
  name: string;
  holds: boolean;
  always: boolean;
  unknown: boolean;
  why?: string;
}

export interface Before {
  title: string;
  why: string[];
}

export interface CommandRequest {
  command?: string;
}

export interface CommandAnswer {
  taken: number;
}

export interface Size {
  cols: number;
  rows: number;
}

export interface Piece {
  anew?: boolean;
  past?: boolean;
  size?: Size;
}

export interface Typed {
  size?: Size;
  shown?: number;
}
