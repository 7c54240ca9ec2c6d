import { describe, expect, test } from "vitest";
import { pieces, progress } from "../src/learn/text";

describe("a learner's texts", () => {
  test.each([
    ["Run `flux get all`.", [["Run ", false], ["flux get all", true], [".", false]]],
    ["`a` and `b`", [["a", true], [" and ", false], ["b", true]]],
    ["plain <b>text</b>", [["plain <b>text</b>", false]]],
    ["", []],
  ])("%s", (text, want) => expect(pieces(text).map((p) => [p.text, p.code])).toEqual(want));
});

test("progress counts the step that is to be done, and ends with the last", () => {
  expect([progress(0, 3), progress(2, 3), progress(3, 3)]).toEqual(["1/3", "3/3", "3/3"]);
});
