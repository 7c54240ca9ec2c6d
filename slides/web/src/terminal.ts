import { Terminal as XTerm, type ITheme } from "@xterm/xterm";
import type { Step, StepOffer, TerminalText } from "./wire";
import { el } from "./dom";
import { phaseWords } from "./steps";
import { take } from "./transcript";

/** The width of a walk's output. */
const columns = 74;
const scrollback = 2000;
const lineHeight = 1.25;
/** The width of a letter of the terminal's font, relative to its size. */
const letterWidth = 0.6;

/** Terminal shows the commands of a step and their output. */
export class Terminal {
  readonly root = el("section", "terminal");
  private readonly title = el("span", "terminal-title");
  private readonly state = el("span", "terminal-state");
  private readonly screen = el("div", "terminal-screen");
  private readonly offer = el("div", "terminal-offer");
  private xterm: XTerm | undefined;
  private offset = 0; // of the next byte to be written
  private early = ""; // text that came before the screen was open
  private ready: Promise<void> | undefined;

  constructor() {
    this.root.setAttribute("aria-label", "Terminal");
    this.root.append(el("header", "terminal-head", this.title, this.state), this.screen, this.offer);
    new ResizeObserver(() => this.resize()).observe(this.screen);
    document.addEventListener("fluxdemo:theme", () => {
      if (this.xterm) this.xterm.options.theme = colours();
    });
  }

  /** Writes new text, skips known text, and clears the screen after a gap. */
  write({ offset, text }: TerminalText): void {
    const { fresh, anew, next } = take(this.offset, { offset, text });
    if (!fresh) return;
    if (anew) {
      this.xterm?.reset();
      this.early = "";
    }
    this.offset = next;
    if (this.xterm) {
      this.xterm.write(text);
    } else {
      this.early += text;
    }
  }

  /** Shows the step of the slide: its commands before it runs, then its phase. */
  about(offer: StepOffer | undefined, step: Step | null): void {
    const ours = step && offer && step.walk === offer.walk && step.id === offer.id ? step : null;
    const shown = ours ?? offer;
    this.title.textContent = shown ? `${shown.walk} ${shown.number}/${shown.of} · ${shown.title}` : "";
    this.root.dataset["phase"] = ours?.phase ?? "offered";
    this.state.textContent = ours ? phaseWords(ours) : "";
    const offered = shown !== undefined && (!ours || ours.phase === "undone");
    this.offer.hidden = !offered;
    this.offer.replaceChildren(...(shown && offered ? shown.commands.map(commandLine) : []));
  }

  /** Opens the screen, which must be on the page to be measured. */
  open(): void {
    this.ready ??= document.fonts.load("16px 'JetBrains Mono Variable'").then(() => {
      this.xterm = new XTerm({
        cols: columns,
        rows: 12,
        convertEol: true,
        disableStdin: true,
        scrollback,
        lineHeight,
        fontFamily: "'JetBrains Mono Variable', monospace",
        fontSize: 16,
        cursorInactiveStyle: "none",
        theme: colours(),
      });
      this.xterm.open(this.screen);
      this.xterm.write(this.early);
      this.early = "";
      this.resize();
    });
  }

  /** All of the screen's text, for screen readers. */
  text(): string {
    const b = this.xterm?.buffer.active;
    if (!b) return this.early;
    const lines: string[] = [];
    for (let i = 0; i < b.length; i++) lines.push(b.getLine(i)?.translateToString(true) ?? "");
    return lines.join("\n").trimEnd();
  }

  private resize(): void {
    const { clientWidth: w, clientHeight: h } = this.screen;
    if (!this.xterm || w === 0 || h === 0) return;
    const size = Math.max(6, Math.min(22, Math.floor((w / columns / letterWidth) * 2) / 2));
    this.xterm.options.fontSize = size;
    this.xterm.resize(columns, Math.max(2, Math.floor(h / Math.ceil(size * 1.32 * lineHeight))));
  }
}

function commandLine(text: string): HTMLElement {
  return el("pre", "command", text);
}

/** The colours of the page's theme. */
export function colours(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const v = (name: string): string => style.getPropertyValue(name).trim();
  return {
    background: v("--term-paper"),
    foreground: v("--term-ink"),
    cursor: v("--term-paper"),
    blue: v("--term-blue"),
    green: v("--term-green"),
    red: v("--term-red"),
    yellow: v("--term-yellow"),
    cyan: v("--term-cyan"),
    magenta: v("--term-magenta"),
    brightBlack: v("--term-soft"),
  };
}
