import { afterEach, expect, test, vi } from "vitest";
import { Control } from "../src/api";
import type { PositionRequest, StepRequest } from "../src/wire";

afterEach(() => vi.unstubAllGlobals());

function answer(status: number, text: string) {
  const fetch = vi.fn<typeof globalThis.fetch>(async () => new Response(text, { status }));
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

test.each<[string, (c: Control) => Promise<void>, string, PositionRequest | StepRequest]>([
  ["next", (c) => c.next(), "api/position", { command: "next" }],
  ["back", (c) => c.back(), "api/position", { command: "back" }],
  ["goTo", (c) => c.goTo("end", 2), "api/position", { slide: "end", fragment: 2 }],
  ["step", (c) => c.step("skip"), "api/step", { command: "skip" }],
  ["resetClock", (c) => c.resetClock(), "api/clock", {}],
])("%s", async (_, act, path, body) => {
  const fetch = answer(200, "{}");
  await act(new Control("secret"));
  const [url, init] = fetch.mock.calls[0] ?? [];
  expect(url).toBe(path);
  expect(JSON.parse(String(init?.body))).toEqual(body);
  expect(new Headers(init?.headers).get("Authorization")).toBe("Bearer secret");
});

test("what the stage refuses is an error in its words", async () => {
  answer(409, "the step is still running\n");
  await expect(new Control("secret").next()).rejects.toThrow(/^the step is still running$/);
});

test("a target may have any letters", async () => {
  const fetch = answer(200, "{}");
  await new Control("secret").detail("Kustomization/a&b/c");
  expect(fetch.mock.calls[0]?.[0]).toBe("api/detail?target=Kustomization%2Fa%26b%2Fc");
  expect(new Headers(fetch.mock.calls[0]?.[1]?.headers).get("Authorization")).toBe("Bearer secret");
});
