import { fetchCharts } from "./api";
import { el } from "./dom";

/** How often a visible chart is drawn again, in milliseconds. */
const interval = 1000;

/** Keeps the chart of the current slide up to date. */
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
    let next = interval;
    try {
      const charts = await fetchCharts(figure.dataset["chart"] ?? "");
      if (figure !== this.figure) return;
      const drawn = charts.map((c) => new DOMParser().parseFromString(c, "image/svg+xml").documentElement);
      figure.replaceChildren(...drawn.map((d) => document.importNode(d, true)));
      figure.classList.remove("stale");
    } catch (e) {
      if (figure !== this.figure) return;
      next = 10 * interval; // the cluster does not answer
      figure.classList.add("stale");
      if (!figure.querySelector("svg")) {
        figure.replaceChildren(el("p", "quiet", e instanceof Error ? e.message : String(e)));
      }
    }
    this.timer = window.setTimeout(() => void this.draw(figure), next);
  }
}
