import { describe, expect, test } from "vitest";
import { hashOf, parseHash, type Address, turn } from "../src/address";
import { Keyboard } from "../src/keys";
import { nodeID } from "../src/node-id";
import { pace } from "../src/pace";
import { comingStep, phaseWords, stepAt } from "../src/steps";
import { take } from "../src/transcript";
import { ago, clock, short } from "../src/words";
import { deckOf, offer, positionAt } from "./deck";

const deck = deckOf([{ id: "talk" }, { id: "two words", fragments: 2 }, { id: "end" }]);

describe("addresses", () => {
  test.each<[string, Address | undefined]>([
    ["#/talk", { slide: 0, fragment: -1 }],
    ["#/two%20words", { slide: 1, fragment: -1 }],
    ["#/two%20words/2", { slide: 1, fragment: 1 }],
    ["#/3", { slide: 2, fragment: -1 }],
    ["#/4", undefined],
    ["#/0", undefined],
    ["#/elsewhere", undefined],
    ["", undefined],
    ["#token=abc", undefined],
  ])("%s", (hash, want) => expect(parseHash(hash, deck)).toEqual(want));

  test("lead back to where they come from", () => {
    for (const at of [positionAt(deck, 1, -1), positionAt(deck, 1, 1)]) {
      expect(parseHash(hashOf(at), deck)).toEqual({ slide: at.slide, fragment: at.fragment });
    }
  });
});

describe("keys", () => {
  const commands = (...keys: string[]) => {
    const k = new Keyboard();
    return keys.map((key) => k.press(key));
  };

  test.each([
    ["PageDown", "next"], ["PageUp", "back"], [" ", "next"], ["Enter", "next"], ["Home", "first"], ["End", "last"],
    ["r", "again"], ["s", "skip"], ["x", "stop"], ["c", "clock"], [".", "blank"], ["?", "help"], ["Escape", "close"],
  ])("%s is %s", (key, what) => expect(commands(key)).toEqual([{ action: what }]));

  test("ask for nothing when they have no meaning", () => expect(commands("q", "toString")).toEqual([undefined, undefined]));
  test("digits name a slide", () => expect(commands("1", "2", "Enter").at(-1)).toEqual({ action: "slide", number: 12 }));
  test("other keys forget the digits", () => expect(commands("1", "x", "Enter").at(-1)).toEqual({ action: "next" }));
  test("the last four digits count", () => expect(commands(..."98765", "Enter").at(-1)).toEqual({ action: "slide", number: 8765 }));
});

describe("a deck without a stage", () => {
  const go = (at: Address, ...what: ("next" | "back" | "first" | "last")[]) =>
    what.reduce<Address | undefined>((p, w) => p && turn({ action: w }, p, deck), at);

  test.each<[Address, "next" | "back", Address]>([
    [{ slide: 0, fragment: -1 }, "next", { slide: 1, fragment: -1 }],
    [{ slide: 1, fragment: -1 }, "next", { slide: 1, fragment: 0 }],
    [{ slide: 1, fragment: 1 }, "next", { slide: 2, fragment: -1 }],
    [{ slide: 2, fragment: -1 }, "next", { slide: 2, fragment: -1 }],
    [{ slide: 2, fragment: -1 }, "back", { slide: 1, fragment: 1 }],
    [{ slide: 1, fragment: 0 }, "back", { slide: 1, fragment: -1 }],
    [{ slide: 0, fragment: -1 }, "back", { slide: 0, fragment: -1 }],
  ])("%o %s", (at, what, want) => expect(go(at, what)).toEqual(want));

  test("first and last", () => {
    expect(go({ slide: 1, fragment: 1 }, "last")).toEqual({ slide: 2, fragment: -1 });
    expect(go({ slide: 1, fragment: 1 }, "first")).toEqual({ slide: 0, fragment: -1 });
  });
  test("by number", () => {
    const at = { slide: 0, fragment: -1 };
    expect(turn({ action: "slide", number: 3 }, at, deck)).toEqual({ slide: 2, fragment: -1 });
    expect(turn({ action: "slide", number: 4 }, at, deck)).toBeUndefined();
    expect(turn({ action: "slide", number: 0 }, at, deck)).toBeUndefined();
  });
});

describe("words", () => {
  test.each([[-5, "0 s"], [8_400, "8 s"], [99_000, "99 s"], [180_000, "3 min"], [7_200_000, "2 h"], [432_000_000, "5 d"]])(
    "ago %d", (ms, want) => expect(ago(ms)).toBe(want));
  test.each([[0, "0:00"], [125_999, "2:05"], [3_725_000, "1:02:05"], [-61_000, "−1:01"]])(
    "clock %d", (ms, want) => expect(clock(ms)).toBe(want));
  test.each([
    ["main@sha1:4160ca5b900099392e06920c1130babf622a3e36", "main@sha1:4160ca5"],
    ["sha256:4160ca5b900099392e06920c1130babf622a3e36", "sha256:4160ca5"],
    ["6.0.1", "6.0.1"],
  ])("short %s", (revision, want) => expect(short(revision)).toBe(want));
  test.each([["diagram-1-flowchart-A-0", "A"], ["flowchart-my-node-12", "my-node"], ["diagram-1-box", "box"]])(
    "nodeID %s", (id, want) => expect(nodeID(id, "diagram-1")).toBe(want));
});

describe("pace", () => {
  const planned = deckOf([{}, {}, {}], { seconds: 120 });

  test("before the talk", () => expect(pace(planned, positionAt(planned, 0), 5000)).toEqual({ allotted: 120_000, elapsed: 0, slides: 0, ahead: 0 }));
  test("ahead", () => {
    const position = { ...positionAt(planned, 1), started: 1000 };
    expect(pace(planned, position, 31_000)).toEqual({ allotted: 120_000, elapsed: 30_000, slides: 0.5, ahead: 30_000 });
  });
  test("a schedule counts while it lasts", () => {
    const d = deckOf([{}, {}], { start: 1000, end: 61_000, seconds: 120 });
    expect(pace(d, positionAt(d, 0), 31_000)).toEqual({ allotted: 60_000, elapsed: 30_000, slides: 0, ahead: -30_000 });
    expect(pace(d, positionAt(d, 0), 62_000).allotted).toBe(120_000);
  });
  test("one slide, and no time allotted", () => {
    const d = deckOf([{}]);
    expect(pace(d, positionAt(d, 0), 9)).toEqual({ allotted: 0, elapsed: 0, slides: 0, ahead: 0 });
  });
});

describe("steps", () => {
  const walk = deckOf([{}, { presses: [0, -1, 1], steps: [offer("a"), offer("b")] }, {}]);

  test.each<[number, string]>([[0, "a"], [1, "b"], [2, "b"], [3, "b"]])("after %d presses", (presses, id) =>
    expect(stepAt(walk.slides[1], presses)?.id).toBe(id));
  test("none on a slide without", () => expect(stepAt(walk.slides[0], 0)).toBeUndefined());
  test("the one to come may be on a later slide", () => {
    expect(comingStep(walk, positionAt(walk, 0))).toMatchObject({ here: false, slide: 1, offer: { id: "a" } });
    expect(comingStep(walk, { ...positionAt(walk, 1), press: 1 })).toMatchObject({ here: true, offer: { id: "b" } });
    expect(comingStep(walk, { ...positionAt(walk, 1), press: 3 })).toBeUndefined();
  });
  test("a check says what it waits for", () => {
    expect(phaseWords({ ...offer("a"), phase: "checking", waiting: "a pod" })).toBe("waiting: a pod");
    expect(phaseWords({ ...offer("a"), phase: "checking" })).toBe("checking");
  });
});

describe("the terminal's text", () => {
  test.each([
    ["follows", 4, { offset: 4, text: "ab" }, { fresh: true, anew: false, next: 6 }],
    ["counts bytes", 0, { offset: 0, text: "→" }, { fresh: true, anew: false, next: 3 }],
    ["is known", 6, { offset: 4, text: "ab" }, { fresh: false, anew: true, next: 6 }],
    ["has a gap before it", 4, { offset: 9, text: "a" }, { fresh: true, anew: true, next: 10 }],
    ["starts over", 9, { offset: 0, text: "" }, { fresh: true, anew: true, next: 0 }],
  ])("%s", (_, known, text, want) => expect(take(known, text)).toEqual(want));
});
