import { el } from "./dom";

/** How long a notice shows, in milliseconds. */
const shown = 4000;

/** Notice shows a message to the user for a few seconds. */
export class Notice {
  readonly root = el("div", "notice");
  private timer = 0;

  /** @param silence what to say if the server does not answer */
  constructor(private readonly silence = "The presentation does not answer.") {
    this.root.setAttribute("role", "status");
    this.root.hidden = true;
  }

  show(what: unknown): void {
    this.root.textContent = what instanceof TypeError ? this.silence : what instanceof Error ? what.message : String(what);
    this.root.hidden = false;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => (this.root.hidden = true), shown);
  }
}
