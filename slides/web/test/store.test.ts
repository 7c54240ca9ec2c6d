import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Listener } from "../src/connection";
import { Store } from "../src/store";
import type { Hello, State } from "../src/wire";
import { deckOf, positionAt } from "./deck";

const stage = vi.hoisted(() => ({ listener: undefined as Listener | undefined, fetchDeck: vi.fn() }));
vi.mock("../src/connection", () => ({ connect: (l: Listener) => (stage.listener = l) }));
vi.mock("../src/api", () => ({ fetchDeck: stage.fetchDeck }));

const deck = deckOf([{ id: "a" }, { id: "b" }]);
const state = (target: string, status: State["status"]): State => ({ target, status, since: 0, at: 0 });
const hello = (over: Partial<Hello> = {}): Hello => ({
  instance: "one", version: 1, position: positionAt(deck, 1), step: null, states: [], terminal: { offset: 0, text: "" }, live: true, ...over,
});

/** Follows a stage, and notes the calls that its view gets. */
function follow(): { store: Store; calls: string[]; says: Listener } {
  const calls: string[] = [];
  const store = new Store({
    deck: () => calls.push("deck"),
    position: (p) => calls.push(`position ${p.id}`),
    step: (s) => calls.push(`step ${s?.id ?? "none"}`),
    state: (s) => calls.push(`state ${s.target} ${s.status}`),
    settle: (known) => calls.push(`settle ${known}`),
    pulse: (p) => calls.push(`pulse ${p.what}`),
    terminal: () => calls.push("terminal"),
    connected: (is) => calls.push(`connected ${is}`),
  });
  store.follow();
  if (!stage.listener) throw new Error("it does not connect");
  return { store, calls, says: stage.listener };
}

beforeEach(() => stage.fetchDeck.mockReset().mockResolvedValue({ version: 1, deck }));
afterEach(() => (stage.listener = undefined));

test("the deck comes before its position and states", async () => {
  const { calls, says } = follow();
  says.hello(hello({ states: [state("git", "ready")] }));
  await vi.waitFor(() => expect(calls).toContain("terminal"));
  expect(calls.indexOf("deck")).toBe(0);
  expect(calls.indexOf("position b")).toBeGreaterThan(0);
  expect(calls.indexOf("settle true")).toBeGreaterThan(calls.indexOf("state git ready"));
});

test("a hello replaces what was known", async () => {
  const { store, says } = follow();
  says.hello(hello({ states: [state("git", "ready"), state("gone", "ready")] }));
  says.state(state("git", "failed"));
  expect(store.states.get("git")?.status).toBe("failed");
  says.hello(hello({ states: [state("git", "working")] }));
  expect([...store.states.values()].map((s) => `${s.target} ${s.status}`)).toEqual(["git working"]);
});

test("the same deck is loaded once, and again for another version or stage", async () => {
  const { calls, says } = follow();
  const shown = (n: number) => vi.waitFor(() => expect(calls.filter((c) => c === "terminal")).toHaveLength(n));
  says.hello(hello());
  await shown(1);
  says.hello(hello());
  await shown(2);
  expect(stage.fetchDeck).toHaveBeenCalledTimes(1);
  says.hello(hello({ instance: "two" }));
  await shown(3);
  expect(stage.fetchDeck).toHaveBeenCalledTimes(2);
  stage.fetchDeck.mockResolvedValue({ version: 2, deck });
  says.deck(2);
  await vi.waitFor(() => expect(stage.fetchDeck).toHaveBeenCalledTimes(3));
});

test("a position of another deck waits for that deck", async () => {
  const { calls, says } = follow();
  says.hello(hello());
  await vi.waitFor(() => expect(calls).toContain("terminal"));
  calls.length = 0;
  says.position({ ...positionAt(deck, 0), slides: 3 });
  expect(calls).toEqual([]);
  says.position(positionAt(deck, 0));
  expect(calls).toEqual(["position a"]);
});
