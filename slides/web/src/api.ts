import type { Charts, Deck, Detail, PositionRequest, StepRequest, VersionedDeck } from "./wire";

declare global {
  interface Window {
    /** The deck of a page without a server. */
    fluxdemoDeck?: Deck;
  }
}

export async function fetchDeck(): Promise<VersionedDeck> {
  const answer = await fetch("api/deck");
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as VersionedDeck;
}

export async function fetchDetail(target: string, headers: Record<string, string>): Promise<Detail> {
  const answer = await fetch("api/detail?target=" + encodeURIComponent(target), { headers });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return (await answer.json()) as Detail;
}

/** Draws the charts of a Kustomization, as SVG. */
export async function fetchCharts(of: string): Promise<string[]> {
  const answer = await fetch("api/charts?of=" + encodeURIComponent(of));
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return ((await answer.json()) as Charts).charts;
}

/** Control gives the stage commands, and reads what only the presenter may. It needs the stage's token; a page without one only watches. */
export class Control {
  constructor(private readonly token: string) {}

  next(): Promise<void> {
    return this.turn({ command: "next" });
  }

  back(): Promise<void> {
    return this.turn({ command: "back" });
  }

  goTo(slide: string, fragment = -1): Promise<void> {
    return this.turn({ slide, fragment });
  }

  step(command: "again" | "skip" | "stop"): Promise<void> {
    const request: StepRequest = { command };
    return this.post("api/step", request);
  }

  resetClock(): Promise<void> {
    return this.post("api/clock", {});
  }

  detail(target: string): Promise<Detail> {
    return fetchDetail(target, this.headers());
  }

  private headers(): Record<string, string> {
    return { Authorization: "Bearer " + this.token };
  }

  private turn(request: PositionRequest): Promise<void> {
    return this.post("api/position", request);
  }

  private async post(path: string, body: object): Promise<void> {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...this.headers() },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error((await answer.text()).trim());
  }
}
