import type { Charts, Deck, Detail, MoveRequest, StepRequest, VersionedDeck } from "./wire";

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
  return ((await answer.json()) as Charts).charts;
}

/** Control moves the talk. It needs the stage's token; without one nothing can be moved from this page. */
export class Control {
  constructor(private readonly token: string) {}

  next(): Promise<void> {
    return this.move({ move: "next" });
  }

  back(): Promise<void> {
    return this.move({ move: "back" });
  }

  goTo(slide: string, fragment = -1): Promise<void> {
    return this.move({ slide, fragment });
  }

  step(what: "again" | "skip" | "stop"): Promise<void> {
    const request: StepRequest = { do: what };
    return this.post("api/step", request);
  }

  resetClock(): Promise<void> {
    return this.post("api/clock", {});
  }

  private move(request: MoveRequest): Promise<void> {
    return this.post("api/position", request);
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
