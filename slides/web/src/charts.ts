import { fetchCharts } from "./api";
import { el } from "./dom";

/** How often a chart that is shown is drawn anew, in milliseconds: its time moves on. */
const beat = 1000;

/** Keeps the chart of the slide that is shown up to date; a slide without one costs nothing. */
export class Charts {
  private figure: HTMLElement | null = null;
  private timer: number | undefined;

  /** Turns to a slide. */
  show(page: HTMLElement | undefined): void {
    const figure = page?.querySelector<HTMLElement>("figure[data-chart]") ?? null;
    if (figure === this.figure) return;
    window.clearTimeout(this.timer);
    this.figure = figure;
    if (figure && !window.fluxdemoDeck) void this.draw(figure);
  }

  private async draw(figure: HTMLElement): Promise<void> {
    let next = beat;
    try {
      const charts = await fetchCharts(figure.dataset["chart"] ?? "");
      if (figure !== this.figure) return;
      const drawn = charts.map((c) => new DOMParser().parseFromString(c, "image/svg+xml").documentElement);
      figure.replaceChildren(...drawn.map((d) => document.importNode(d, true)));
      figure.classList.remove("stale");
    } catch (e) {
      if (figure !== this.figure) return;
      next = 10 * beat; // the cluster is away, and nobody says when it is back
      figure.classList.add("stale");
      if (!figure.querySelector("svg")) {
        figure.replaceChildren(el("p", "quiet", e instanceof Error ? e.message : String(e)));
      }
    }
    this.timer = window.setTimeout(() => void this.draw(figure), next);
  }
}
