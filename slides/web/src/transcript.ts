import type { TerminalText } from "./wire";

/** What to do with a piece of text. */
export interface Taken {
  /** It has something new. */
  fresh: boolean;
  /** The screen starts anew with it, since it does not follow what the screen has. */
  anew: boolean;
  /** The offset, in bytes, of what comes after it. */
  next: number;
}

const encoder = new TextEncoder();

/** Decides about text that comes when the screen has all until an offset, in bytes. */
export function take(known: number, { offset, text }: TerminalText): Taken {
  const next = offset + encoder.encode(text).length;
  return { fresh: next > known || offset === 0, anew: offset !== known, next };
}
