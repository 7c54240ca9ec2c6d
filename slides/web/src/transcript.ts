import type { TerminalText } from "./wire";

/** What to do with a piece of text. */
export interface Taken {
  /** It has something new. */
  fresh: boolean;
  /** The screen must be cleared first, because text is missing before it. */
  anew: boolean;
  /** The offset, in bytes, of the next text. */
  next: number;
}

const encoder = new TextEncoder();

/** Says what to do with a piece of text when the screen has all text up to the offset known, in bytes. */
export function take(known: number, { offset, text }: TerminalText): Taken {
  const next = offset + encoder.encode(text).length;
  return { fresh: next > known || offset === 0, anew: offset !== known, next };
}
