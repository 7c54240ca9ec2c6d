import Reveal, { type RevealApi } from "reveal.js";
import type { Deck, Slide } from "./wire";
import type { Address } from "./address";
import { Charts } from "./charts";
import { draw } from "./diagram";
import { el } from "./dom";
import { fit } from "./fit";
import type { LiveDiagrams } from "./live-diagrams";

/** The area of a slide in square pixels: a slide of 16:9 is 1280 by 720. */
const area = 1280 * 720;

/** The page of one slide. */
export function page(slide: Slide, index: number): HTMLElement {
  const p = el("div", "page");
  p.innerHTML = slide.html; // the server has made it safe
  p.dataset["slide"] = slide.id;
  if (index === 0) p.classList.add("cover");
  if (!p.querySelector(":scope > :not(h1, h2)")) p.classList.add("bare");
  if (p.querySelector("figure.diagram")) p.classList.add("has-diagram");
  if (p.querySelector("figure[data-chart]")) p.classList.add("has-chart");
  for (const a of p.querySelectorAll<HTMLAnchorElement>("a[href]")) {
    a.target = "_blank";
    a.rel = "noopener noreferrer";
  }
  for (const f of p.querySelectorAll<HTMLElement>("figure[data-height]")) {
    f.style.setProperty("--height", f.dataset["height"] ?? "");
  }
  for (const f of p.querySelectorAll<HTMLElement>("figure[data-width]")) {
    f.style.setProperty("--width", f.dataset["width"] ?? "");
  }
  return p;
}

const drawings = new WeakMap<HTMLElement, Promise<void>>();

/** Draws the diagrams of a page, once. Resolves when each is drawn or shows its error. */
export function drawAll(p: HTMLElement, slide: Slide, live: LiveDiagrams): Promise<void> {
  const drawing = drawings.get(p) ?? drawNow(p, slide, live);
  drawings.set(p, drawing);
  return drawing;
}

async function drawNow(p: HTMLElement, slide: Slide, live: LiveDiagrams): Promise<void> {
  const waiting: Promise<void>[] = [];
  for (const figure of p.querySelectorAll<HTMLElement>("figure.diagram")) {
    const diagram = slide.diagrams.find((d) => d.id === figure.dataset["diagram"]);
    if (!diagram) continue;
    waiting.push(
      draw(figure, diagram).then((drawing) => {
        if (drawing) live.add(figure, drawing);
      }),
    );
  }
  await Promise.all(waiting);
}

/** Slides shows a deck with reveal.js in an element, at one address at a time. */
export class Slides {
  private readonly box = el("div", "slides");
  private readonly root = el("div", "reveal", this.box);
  private reveal: RevealApi | undefined;
  private readonly charts = new Charts();
  private deck: Deck | undefined;
  private pages: HTMLElement[] = [];
  private wanted: Address = { slide: 0, fragment: -1 };
  private starting: Promise<void> = Promise.resolve();

  /**
   * @param parent what the slides fill
   * @param live shows the cluster in their diagrams
   * @param settled is called when the current slide fits and all its diagrams are drawn
   */
  constructor(
    private readonly parent: HTMLElement,
    private readonly live: LiveDiagrams,
    private readonly settled: () => void = () => undefined,
  ) {
    parent.append(this.root);
    new ResizeObserver(() => this.resize()).observe(parent);
  }

  /** Shows a deck, or an edited one, at the position of the address. */
  show(deck: Deck): void {
    this.deck = deck;
    this.live.clear();
    this.pages = deck.slides.map(page);
    this.box.replaceChildren(...this.pages.map((p) => el("section", "", p)));
    if (this.reveal) {
      this.reveal.sync();
      this.apply();
      return;
    }
    const reveal = new Reveal(this.root, {
      embedded: true,
      controls: false,
      progress: false,
      hash: false,
      history: false,
      keyboard: false,
      touch: false,
      mouseWheel: false,
      overview: false,
      help: false,
      center: false,
      margin: 0,
      minScale: 0.05,
      maxScale: 4,
      scrollActivationWidth: 0, // no scroll view on phones: slides follow the presenter
      viewDistance: 2,
      transition: "none",
      backgroundTransition: "none",
      ...this.size(),
    });
    this.reveal = reveal;
    this.starting = reveal.initialize().then(() => this.apply());
  }

  /** Goes to an address. */
  goTo(address: Address): void {
    this.wanted = address;
    void this.starting.then(() => this.apply());
  }

  /** The element of a slide; undefined if there is none with that index. */
  page(index: number): HTMLElement | undefined {
    return this.pages[index];
  }

  private apply(): void {
    if (!this.reveal || !this.deck || this.deck.slides.length === 0) return;
    const slide = Math.min(this.wanted.slide, this.deck.slides.length - 1);
    this.reveal.slide(slide, 0, this.wanted.fragment);
    this.charts.show(this.pages[slide]);
    this.refit();
    void this.drawAround(slide);
  }

  /** Draws the current slide first, then its neighbours, so that they are ready in time. */
  private async drawAround(slide: number): Promise<void> {
    const deck = this.deck;
    for (const i of [slide, slide + 1, slide - 1]) {
      const [p, model] = [this.pages[i], deck?.slides[i]];
      if (!p || !model) continue;
      await drawAll(p, model, this.live);
      if (this.deck !== deck) return;
      if (i === slide && this.wanted.slide === slide) {
        this.refit();
        this.settled();
      }
    }
  }

  private size(): { width: number; height: number } {
    const { clientWidth: w, clientHeight: h } = this.parent;
    const ratio = Math.min(Math.max(w > 0 && h > 0 ? w / h : 16 / 9, 0.42), 2.1);
    const width = Math.round(Math.sqrt(area * ratio));
    return { width, height: Math.round(width / ratio) };
  }

  private resize(): void {
    if (!this.reveal?.isReady()) return;
    const size = this.size();
    this.reveal.configure(size);
    this.reveal.layout();
    this.refit();
  }

  private refit(): void {
    const p = this.pages[this.wanted.slide];
    if (p) fit(p);
  }
}
