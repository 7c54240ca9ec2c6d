import { el } from "./dom";

/** How long a notice can be read, in milliseconds. */
const shown = 4000;

/** Notice is a word to whoever has pressed a key. */
export class Notice {
  readonly root = el("div", "notice");
  private timer = 0;

  constructor() {
    this.root.setAttribute("role", "status");
    this.root.hidden = true;
  }

  show(what: unknown): void {
    this.root.textContent = what instanceof TypeError ? "The stage does not answer." : what instanceof Error ? what.message : String(what);
    this.root.hidden = false;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => (this.root.hidden = true), shown);
  }
}
