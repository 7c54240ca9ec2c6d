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
    const head = el("header", "page-head", this.title, this.count, this.bar, theme);
    const map = el("section", "map", this.figure);
    map.setAttribute("aria-label", "Diagram");
    this.side.append(map);
    document.body.className = "learn";
    document.body.append(head, this.side, this.panel.root, this.notice.root);
    hover(document.body, this.live, (t) => void this.panel.open(t));
    document.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && this.panel.isOpen) this.panel.close();
      if (e.key !== "F6") return;
      e.preventDefault();
      this.shell?.focus();
    });
    new Connection(this.access, "api/events", {
      open: () => document.body.classList.remove("away"),
      lost: () => document.body.classList.add("away"),
      text: (json) => this.take(JSON.parse(json) as Message),
      bytes: () => undefined,
    });
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

  /** Makes what depends on whether there is a terminal. */
  private build(l: Lesson): void {
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
