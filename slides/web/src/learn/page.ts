import { draw } from "../diagram";
import { el } from "../dom";
import { hover } from "../hover";
import { LiveDiagrams } from "../live-diagrams";
import { Notice } from "../notice";
import { Panel } from "../panel";
import { settle } from "../ready";
import { nextTheme } from "../theme";
import type { Diagram, Pulse, State } from "../wire";
import { type Access, Connection } from "./access";
import { Shell } from "./shell";
import { Task } from "./task";
import { progress } from "./text";
import type { Hello, Lesson, Message } from "./wire";

/**
 * How long the server may be silent before the page says what to do, in milliseconds. There is nothing to await: a
 * server that has ended does not come back at this address.
 */
const patience = 5000;

/** Page shows a walk to a learner: the task beside the diagram and the terminal. */
export class Page {
  private readonly live = new LiveDiagrams();
  private readonly panel: Panel;
  private readonly notice = new Notice("fluxdemo learn does not answer.");
  private readonly title = el("h1");
  private readonly count = el("span", "count");
  private readonly bar = el("progress");
  private readonly side = el("div", "side");
  private readonly figure = el("figure", "diagram");
  private readonly gone = el("div", "notice gone", "fluxdemo learn does not answer. If you have started it again, open the address that it printed.");
  private readonly links = el("nav", "links");
  private lost = 0;
  private task: Task | undefined;
  private shell: Shell | undefined;
  private diagram = "";

  constructor(private readonly access: Access) {
    this.panel = new Panel((target) => access.detail(target));
  }

  /** Shows the page, and follows the server for as long as the page lives. */
  start(): void {
    const theme = el("button", "theme", "Theme");
    theme.type = "button";
    theme.title = "Change the theme: light, dark, high contrast";
    theme.onclick = nextTheme;
    this.bar.setAttribute("aria-label", "Progress");
    this.links.setAttribute("aria-label", "Pages of the demo");
    const head = el("header", "page-head", this.title, this.links, this.count, this.bar, theme);
    this.gone.setAttribute("role", "alert");
    this.gone.hidden = true;
    const map = el("section", "map", this.figure);
    map.setAttribute("aria-label", "Diagram");
    this.side.append(map);
    document.body.className = "learn";
    document.body.append(head, this.side, this.panel.root, this.notice.root, this.gone);
    hover(document.body, this.live, (t) => void this.panel.open(t));
    document.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && this.panel.isOpen) this.panel.close();
      if (e.key !== "F6") return;
      e.preventDefault();
      this.shell?.focus();
    });
    new Connection(this.access, "api/events", {
      open: () => this.away(false),
      lost: () => this.away(true),
      text: (json) => this.take(JSON.parse(json) as Message),
      bytes: () => undefined,
    });
  }

  /** Shows whether the server answers. A new one is at another address, so the page says so after a while. */
  private away(is: boolean): void {
    document.body.classList.toggle("away", is);
    if (is && this.lost !== 0) return;
    window.clearTimeout(this.lost);
    this.lost = is ? window.setTimeout(() => (this.gone.hidden = false), patience) : 0;
    if (!is) this.gone.hidden = true;
  }

  private take(m: Message): void {
    switch (m.event) {
      case "hello": {
        const hello = m.data as Hello;
        for (const s of hello.states) this.live.state(s);
        this.live.settle(hello.live);
        this.show(hello.lesson);
        break;
      }
      case "lesson":
        this.show(m.data as Lesson);
        break;
      case "state":
        this.live.state(m.data as State);
        this.panel.changed((m.data as State).target);
        break;
      case "pulse":
        this.live.pulse(m.data as Pulse);
        break;
    }
  }

  private show(l: Lesson): void {
    document.title = `${progress(l.position, l.of)} ${l.title}`;
    this.title.textContent = l.title;
    this.count.textContent = `${l.position} of ${l.of} done`;
    this.bar.max = l.of;
    this.bar.value = l.position;
    if (!this.task) this.build(l);
    this.task?.show(l);
    this.draw(l.diagram);
  }

  /** Makes what depends on whether there is a terminal, and on which pages the demo has. */
  private build(l: Lesson): void {
    for (const link of l.links) {
      const a = el("a", "", link.name);
      a.href = link.url;
      a.target = "_blank";
      a.rel = "noopener";
      this.links.append(a);
    }
    if (l.terminal) {
      this.shell = new Shell(this.access, () => this.task?.focus());
      this.side.append(this.shell.root);
    }
    document.body.classList.toggle("with-terminal", l.terminal);
    const shell = this.shell;
    this.task = new Task({
      command: (name) => this.access.command(name).catch((e: unknown) => {
        this.notice.show(e);
        return 0;
      }),
      run: shell ? (command) => shell.run(command) : undefined,
    });
    this.side.before(this.task.root);
    void shell?.open();
  }

  private draw(diagram: Diagram | undefined): void {
    const is = diagram ? diagram.id + diagram.source : "none";
    if (is === this.diagram) return;
    this.diagram = is;
    this.side.classList.toggle("without-map", !diagram);
    if (!diagram) {
      settle();
      return;
    }
    this.live.clear();
    this.figure.classList.remove("broken");
    void draw(this.figure, diagram).then((drawing) => {
      if (drawing && is === this.diagram) this.live.add(this.figure, drawing);
      settle();
    });
  }
}
