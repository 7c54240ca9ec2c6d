import type { Deck, Position } from "./wire";
import { el, svg } from "./dom";
import { pace } from "./pace";

const hare =
  "M3 17c0-5 4-8 9-8 2 0 4 .5 5.500 1.500C17 6 18 2 20 1c1.200 2 .8 5.500.2 8C22 5.500 24 3 26 2.500c.3 3-1.500 6-3.500 8 " +
  "2.500.8 4.500 2.500 4.500 4.500 0 1.500-1.500 2.500-3.500 2.500-1 3-3 4.500-6 4.500h-9c-.5-1.500.5-2.500 2-2.700C6 20 3 19.500 3 17z";
const tortoise =
  "M2 17c1-6 5-9.500 10.500-9.500S22 11 23 16c1-.7 1.500-2 2-3.200.6-1.300 1.800-2 3.200-1.700 1.500.3 2.400 1.700 2 3.200-.5 2-2.600 " +
  "3.700-5.700 4.200-.4 1-.9 2-1.500 3h-3.500l-.7-2.200H10L9.300 21.500H5.800c-.5-1-.7-2-.8-3C3.500 18.300 2.300 17.800 2 17z";

function runner(name: string, shape: string): SVGSVGElement {
  const s = svg("svg", { viewBox: "0 0 32 24", class: `runner ${name}`, role: "img", "aria-label": name });
  s.append(svg("path", { d: shape }));
  return s;
}

/** Race is the line at the bottom: the hare runs with the slides, the tortoise with the time. */
export class Race {
  readonly root = el("div", "race");
  private readonly hare = runner("hare", hare);
  private readonly tortoise = runner("tortoise", tortoise);
  private deck: Deck | undefined;
  private position: Position | undefined;

  constructor() {
    this.root.append(el("div", "track"), this.tortoise, this.hare);
    window.setInterval(() => this.draw(), 1000);
  }

  show(deck: Deck): void {
    this.deck = deck;
    this.draw();
  }

  goTo(position: Position): void {
    this.position = position;
    this.draw();
  }

  private draw(): void {
    if (!this.deck) return;
    const p = pace(this.deck, this.position, Date.now());
    this.hare.style.setProperty("--at", String(p.slides));
    this.tortoise.style.setProperty("--at", String(p.allotted > 0 ? Math.min(1, p.elapsed / p.allotted) : 0));
    this.tortoise.toggleAttribute("hidden", p.allotted === 0);
    this.root.classList.toggle("late", p.allotted > 0 && p.elapsed > p.allotted);
  }
}
