import { FitAddon } from "@xterm/addon-fit";
import { Terminal as XTerm } from "@xterm/xterm";
import { el } from "../dom";
import { colours } from "../terminal";
import { type Access, Connection } from "./access";
import type { Piece, Typed } from "./wire";

/** How many bytes the shell may write before the page has confirmed them. */
const report = 32 * 1024;
const scrollback = 5000;

const encoder = new TextEncoder();

/** Shell is the terminal of the page. All browsers that show the page share it. */
export class Shell {
  readonly root = el("section", "shell");
  private readonly screen = el("div", "shell-screen");
  private readonly fit = new FitAddon();
  private xterm: XTerm | undefined;
  private connection: Connection | undefined;
  private past = 0; // pieces on their way to the screen that were written before this page was there
  private nextIsPast = false;
  private shown = 0; // bytes that the server does not know of

  /** @param leave moves the focus out of the terminal, which takes the key Tab for itself */
  constructor(
    private readonly access: Access,
    private readonly leave: () => void,
  ) {
    this.root.setAttribute("aria-label", "Terminal");
    const way = el("span", "quiet", "Leave with ", el("kbd", "", "F6"));
    this.root.append(el("header", "pane-head", el("h2", "", "Terminal"), way), this.screen);
    document.addEventListener("fluxdemo:theme", () => {
      if (this.xterm) this.xterm.options.theme = colours();
    });
  }

  /** Opens the terminal, which must be on the page to be measured. */
  async open(): Promise<void> {
    await document.fonts.load("15px 'JetBrains Mono Variable'");
    const x = new XTerm({
      fontFamily: "'JetBrains Mono Variable', monospace",
      fontSize: 15,
      lineHeight: 1.15,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      scrollback,
      theme: colours(),
    });
    this.xterm = x;
    x.loadAddon(this.fit);
    x.open(this.screen);
    x.attachCustomKeyEventHandler((e) => {
      if (e.key !== "F6") return true;
      if (e.type === "keydown") {
        e.preventDefault();
        e.stopPropagation();
        this.leave();
      }
      return false;
    });
    x.onData((data) => this.send(encoder.encode(data)));
    x.onBinary((data) => this.send(Uint8Array.from(data, (c) => c.charCodeAt(0))));
    this.connection = new Connection(this.access, "api/terminal", {
      open: () => this.resize(),
      lost: () => undefined,
      text: (json) => this.about(JSON.parse(json) as Piece),
      bytes: (data) => this.write(data),
    });
    new ResizeObserver(() => this.resize()).observe(this.screen);
    this.screen.addEventListener("focusin", () => this.resize()); // another page may have another size
    x.focus();
  }

  focus(): void {
    this.xterm?.focus();
  }

  /** Types a command in place of what stands in the line, and runs it. */
  run(command: string): void {
    this.xterm?.input("\x15"); // Ctrl-U
    this.xterm?.paste(command);
    this.xterm?.input("\r");
    this.focus();
  }

  private send(data: Uint8Array<ArrayBuffer>): void {
    // What programs have asked a terminal before was answered then, and only one page may answer.
    if (this.past > 0 || document.visibilityState === "hidden") return;
    this.connection?.send(data);
  }

  private about(piece: Piece): void {
    if (piece.anew) this.xterm?.reset();
    this.nextIsPast = piece.past ?? false;
    if (piece.size) this.xterm?.resize(piece.size.cols, piece.size.rows);
  }

  private write(data: Uint8Array): void {
    const past = this.nextIsPast;
    this.nextIsPast = false;
    if (past) this.past++;
    this.xterm?.write(data, () => {
      if (past) this.past--;
      this.shown += data.length;
      if (this.shown < report) return;
      this.tell({ shown: this.shown });
      this.shown = 0;
    });
  }

  /** Makes the terminal of all pages as big as this page has room for. */
  private resize(): void {
    const size = this.fit.proposeDimensions();
    if (!size || Number.isNaN(size.cols) || document.visibilityState === "hidden") return;
    this.tell({ size });
  }

  private tell(what: Typed): void {
    this.connection?.send(JSON.stringify(what));
  }
}
