import { el } from "../dom";
import { paragraphs, progress, rich } from "./text";
import type { Lesson, LessonStep, Result } from "./wire";

/** What the buttons of the task ask for. */
export interface Asks {
  /** Resolves to the value of Lesson.taken that shows the command. */
  command(name: string): Promise<number>;
  /** Runs a command in the page's terminal; undefined without one. */
  run: ((command: string) => void) | undefined;
}

const buttons = ["next", "check", "hint", "solve", "reset", "back", "stop", "begin", "end"] as const;
type Name = (typeof buttons)[number];

const labels: Record<Name, string> = {
  next: "Next", check: "Check", hint: "Hint", solve: "Solve", reset: "Reset", back: "Back", stop: "Stop", begin: "Try again", end: "Clean up",
};
const tips: Record<Name, string> = {
  next: "Go on to the next step",
  check: "See what holds, and what does not yet",
  hint: "Get one more hint",
  solve: "Have fluxdemo do this step",
  reset: "Undo what was done of this step",
  back: "Undo this step and the one before",
  stop: "Stop what runs",
  begin: "Prepare the walk again",
  end: "Remove what the walk leaves in the cluster",
};

/** Task shows the current step: what to do, hints, and what the checks say. */
export class Task {
  readonly root = el("main", "task");
  private readonly title = el("h2");
  private readonly before = el("section", "before");
  private readonly task = el("div", "task-text");
  private readonly first = el("section", "first");
  private readonly bar = el("div", "task-buttons");
  private readonly hints = el("section", "hints");
  private readonly note = el("section", "follow");
  private readonly state = el("p", "state");
  private readonly results = el("ul", "results");
  private readonly trouble = el("pre", "trouble");
  private readonly output = el("details", "output");
  private readonly all = new Map<Name, HTMLButtonElement>();
  private drawn = new Map<HTMLElement, string>();
  private step = "";
  private lesson: Lesson | undefined;
  private awaited = 0;

  constructor(private readonly asks: Asks) {
    this.root.tabIndex = -1;
    for (const name of buttons) {
      const b = el("button", name === "next" || name === "check" ? "main" : "", labels[name]);
      b.type = "button";
      b.title = tips[name];
      b.onclick = () => {
        if (enabled(b)) void this.ask(name);
      };
      this.all.set(name, b);
      this.bar.append(b);
    }
    this.state.setAttribute("role", "status");
    this.results.setAttribute("aria-live", "polite");
    this.trouble.setAttribute("role", "alert");
    this.root.append(
      this.before, this.title, this.task, this.first, this.bar, this.note, this.state, this.trouble, this.results, this.hints, this.output,
    );
  }

  show(l: Lesson): void {
    const step = l.step;
    this.title.textContent = step ? `${progress(l.position, l.of)} ${step.title}` : `All ${l.of} steps are done`;
    this.redraw(this.before, l.before ?? null, () => beforeOf(l));
    this.redraw(this.task, [step?.task, step?.do, l.ended, l.position === 0], () => this.taskOf(l));
    this.redraw(this.first, [l.first, l.position === 0, l.terminal], () => this.firstOf(l));
    const hints = this.hints.childElementCount;
    this.redraw(this.hints, step?.hints ?? [], () => (step ? this.hintsOf(step) : []));
    this.redraw(this.results, step?.result ?? [], () => (step?.result ?? []).map(resultOf));
    this.redraw(this.output, l.output ?? "", () =>
      l.output ? [el("summary", "", "What fluxdemo ran"), el("pre", "", l.output)] : [],
    );
    this.redraw(this.note, [l.note, l.follow, l.terminal], () => this.noteOf(l));
    this.note.hidden = !l.note || !!l.busy;
    this.output.hidden = !l.output;
    this.state.textContent = stateOf(l);
    this.state.hidden = this.state.textContent === "";
    this.trouble.textContent = l.trouble ?? "";
    this.trouble.hidden = !l.trouble;
    this.arrange(l);
    if (this.step !== (step?.id ?? "end")) {
      this.step = step?.id ?? "end";
      this.root.scrollTop = 0;
    } else if (this.hints.childElementCount > hints) {
      this.hints.lastElementChild?.scrollIntoView({ block: "nearest" });
    }
  }

  /** Moves the focus to the first button that can be pressed. */
  focus(): void {
    const b = [...this.all.values()].find((button) => !button.hidden && enabled(button));
    (b ?? this.root).focus();
  }

  /** Asks for a command. Until the lesson shows it, no other can be asked for. */
  private async ask(name: Name): Promise<void> {
    this.awaited = Number.POSITIVE_INFINITY;
    if (this.lesson) this.arrange(this.lesson);
    this.awaited = await this.asks.command(name);
    if (this.lesson) this.arrange(this.lesson);
  }

  private arrange(l: Lesson): void {
    this.lesson = l;
    const step = l.step;
    const does = step !== null && !step.looks;
    const left = step ? step.levels - step.hints.length : 0;
    const there: Record<Name, boolean> = {
      next: step?.looks ?? false, check: does, hint: step !== null && step.levels > 0, solve: does, reset: does,
      back: l.position > 0 && !l.ended, stop: !!l.busy, begin: !l.ready, end: !step && !l.ended,
    };
    const busy = !!l.busy || l.taken < this.awaited;
    for (const [name, b] of this.all) {
      b.hidden = !there[name] || (!l.ready && name !== "begin" && name !== "stop");
      enable(b, !(busy && name !== "stop") && !(name === "hint" && left <= 0));
    }
    const hint = this.all.get("hint");
    if (hint && step) {
      hint.textContent = step.hints.length > 0 || left > 1 ? `Hint ${Math.min(step.hints.length + 1, step.levels)}/${step.levels}` : "Hint";
    }
  }

  private taskOf(l: Lesson): HTMLElement[] {
    if (!l.step) {
      const again = `Run \`${l.again}\` to do it again. \`fluxdemo learn --help\` lists the other walks.`;
      return paragraphs([l.ended ? "What the walk made is gone. " + again : "Clean up removes what the walk made in the cluster."]);
    }
    return [...(l.position === 0 ? paragraphs(l.intro) : []), ...paragraphs(l.step.task), ...l.step.do.map((c) => this.commandOf(c))];
  }

  private firstOf(l: Lesson): Node[] {
    this.first.hidden = l.first.length === 0 || (l.terminal && l.position > 0);
    const where = l.terminal ? "In the terminal, run this first:" : "In a terminal of your own, run this first:";
    return [el("p", "", where), ...l.first.map((c) => this.commandOf(c))];
  }

  private noteOf(l: Lesson): Node[] {
    return [...paragraphs(l.note ? [l.note] : []), ...(l.follow ? [this.commandOf(l.follow)] : [])];
  }

  private hintsOf(step: LessonStep): HTMLElement[] {
    return step.hints.map((h, i) => {
      const box = el("div", "hint", el("h3", "", `Hint ${i + 1} of ${step.levels}`));
      box.append(...paragraphs(h.text ? [h.text] : []), ...h.commands.map((c) => this.commandOf(c)));
      return box;
    });
  }

  /** A command with a button that runs or copies it. */
  private commandOf(command: string): HTMLElement {
    const b = el("button", "", this.asks.run ? "Run" : "Copy");
    b.type = "button";
    b.onclick = () => {
      if (this.asks.run) this.asks.run(command);
      else void navigator.clipboard.writeText(command).then(() => (b.textContent = "Copied"));
    };
    return el("div", "do", el("pre", "", command), b);
  }

  /** Replaces what is in an element if it shows something else, so that focus and selection stay. */
  private redraw(e: HTMLElement, of: unknown, content: () => Node[]): void {
    const is = JSON.stringify(of);
    if (this.drawn.get(e) === is) return;
    this.drawn.set(e, is);
    e.replaceChildren(...content());
  }
}

/** Whether a button can be pressed. */
function enabled(b: HTMLButtonElement): boolean {
  return b.getAttribute("aria-disabled") !== "true";
}

/** Enables or disables a button. It keeps the focus, which the attribute disabled would take away. */
function enable(b: HTMLButtonElement, on: boolean): void {
  b.setAttribute("aria-disabled", String(!on));
}

function beforeOf(l: Lesson): HTMLElement[] {
  if (!l.before) return [];
  return [el("p", "good", "✓ Done: " + l.before.title), ...paragraphs(l.before.why)];
}

function resultOf(r: Result): HTMLElement {
  if (r.holds && r.always) return el("li", "", "• " + r.name); // there is nothing to do for it
  if (r.unknown) return el("li", "", el("strong", "", "? Not known: " + r.name), el("span", "why", ...rich(r.why ?? "")));
  const item = el("li", r.holds ? "good" : "bad", el("strong", "", r.holds ? "✓ " + r.name : "✗ Not yet: " + r.name));
  if (r.why) item.append(el("span", "why", ...rich(r.why)));
  return item;
}

/** What runs, or how old the results are. */
function stateOf(l: Lesson): string {
  if (l.busy) return l.waiting ? `${l.busy}: ${l.waiting}` : `${l.busy} …`;
  const step = l.step;
  if (!step || step.looks || step.at === 0 || step.result.length === 0) return "";
  const at = new Date(step.at).toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return step.asked ? `Checked at ${at}` : `The step is done as soon as all of this holds. Last checked at ${at}.`;
}
