import type { Control } from "./api";
import type { Detail } from "./wire";
import { el } from "./dom";
import { ago, titleOf } from "./words";

type Tab = "YAML" | "Conditions" | "Events" | "Log";
const tabs: Tab[] = ["YAML", "Conditions", "Events", "Log"];

/** Panel shows the details of a target: its YAML, conditions, events, and its controller's log. */
export class Panel {
  readonly root = el("aside", "panel");
  private readonly title = el("h3");
  private readonly body = el("div", "panel-body");
  private readonly buttons = new Map<Tab, HTMLButtonElement>();
  private tab: Tab = "YAML";
  private target = "";
  private detail: Detail | undefined;
  private from: Element | null = null; // what had the focus

  /** @param fetch returns the details of a target */
  constructor(private readonly fetch: (target: string) => Promise<Detail>) {
    const bar = el("nav", "panel-tabs");
    bar.setAttribute("role", "tablist");
    for (const t of tabs) {
      const b = el("button", "", t);
      b.type = "button";
      b.setAttribute("role", "tab");
      b.onclick = () => this.choose(t);
      this.buttons.set(t, b);
      bar.append(b);
    }
    const close = el("button", "panel-close", "×");
    close.type = "button";
    close.setAttribute("aria-label", "Close");
    close.onclick = () => this.close();
    this.root.append(el("header", "", this.title, close), bar, this.body);
    this.root.hidden = true;
    this.body.tabIndex = 0;
  }

  get isOpen(): boolean {
    return !this.root.hidden;
  }

  async open(target: string): Promise<void> {
    this.from = document.activeElement;
    this.target = target;
    this.detail = undefined;
    this.title.textContent = titleOf(target);
    this.body.replaceChildren(el("p", "quiet", "Loading…"));
    this.root.hidden = false;
    this.body.focus({ preventScroll: true });
    await this.refresh();
  }

  /** Loads the details again. */
  async refresh(): Promise<void> {
    const target = this.target;
    if (!this.isOpen) return;
    try {
      const d = await this.fetch(target);
      if (target !== this.target) return;
      this.detail = d;
      this.render();
    } catch (e) {
      if (target !== this.target) return;
      this.body.replaceChildren(el("p", "quiet", e instanceof Error ? e.message : String(e)));
    }
  }

  /** Refreshes if it shows this target. */
  changed(target: string): void {
    if (this.isOpen && target === this.target) void this.refresh();
  }

  close(): void {
    this.root.hidden = true;
    if (this.from instanceof HTMLElement || this.from instanceof SVGElement) this.from.focus({ preventScroll: true });
  }

  private choose(tab: Tab): void {
    this.tab = tab;
    this.render();
  }

  private render(): void {
    const d = this.detail;
    // A role such as Flux is no object: it has parts.
    const object = d?.yaml !== undefined && d.yaml !== "";
    const there = (t: Tab): boolean =>
      d === undefined || object || t === "YAML" || (t === "Events" && !!d.events?.length) || (t === "Log" && !!d.log?.length);
    const tab = there(this.tab) ? this.tab : "YAML"; // the choice stays for the next object
    for (const [t, b] of this.buttons) {
      b.setAttribute("aria-selected", String(t === tab));
      b.hidden = !there(t);
      if (t === "YAML" && d) b.textContent = object ? "YAML" : "Parts";
    }
    if (d) this.body.replaceChildren(this.content(d, tab));
  }

  private content(d: Detail, tab: Tab): Node {
    switch (tab) {
      case "YAML":
        return d.yaml ? el("pre", "yaml", d.yaml) : parts(d);
      case "Conditions":
        return table(
          ["Type", "Status", "Reason", "Message"],
          (d.conditions ?? []).map((c) => [c.type, c.status, c.reason ?? "", c.message ?? ""]),
          "This object has no conditions.",
        );
      case "Events":
        return table(
          ["Age", "Type", "Reason", "Message"],
          (d.events ?? []).toReversed().map((e) => [
            ago(Date.now() - Date.parse(e.at)),
            e.type,
            e.reason,
            e.count > 1 ? `${e.message} (${e.count} times)` : e.message,
          ]),
          "No recent events.",
        );
      case "Log": {
        const lines = d.log ?? [];
        if (lines.length === 0) return nothing(d.problem ?? "No log.");
        return el("div", "", el("p", "quiet", d.controller ?? ""), el("pre", "log", lines.join("\n")));
      }
    }
  }
}

/** Returns the details on a stage. A page without the token is not asked for one: it has no use for a 401. */
export function detailsOf(control: Control | undefined): (target: string) => Promise<Detail> {
  if (control) return (target) => control.detail(target);
  return () => Promise.reject(new Error("Only the presenter sees the details: open this page from the presenter's window."));
}

/** The parts of a role such as Flux. */
function parts(d: Detail): HTMLElement {
  return table(
    ["Part", "State", "Message"],
    (d.parts ?? []).map((p) => [p.target, p.status, p.message ?? ""]),
    "This is not an object in the cluster.",
  );
}

function nothing(text: string): HTMLElement {
  return el("p", "quiet", text);
}

function table(head: string[], rows: string[][], empty: string): HTMLElement {
  if (rows.length === 0) return nothing(empty);
  const cells = (name: "th" | "td", texts: string[]): HTMLElement => el("tr", "", ...texts.map((t) => el(name, "", t)));
  return el(
    "table",
    "",
    el("thead", "", cells("th", head)),
    el("tbody", "", ...rows.map((r) => cells("td", r))),
  );
}
