import type { Pulse, State, Status } from "./wire";
import { type Drawing, type LiveEdge, type LiveNode, rest, wake } from "./diagram";
import { el, svg } from "./dom";
import { ago, short, titleOf } from "./words";

/** The detail of the event fluxdemo:painted, which the document dispatches after a state or pulse was painted. */
export interface Painted {
  kind: "state" | "pulse";
  target?: string;
  status?: Status;
  revision?: string;
  from?: string;
  to?: string;
  what?: string;
  count: number; // how many nodes or edges on the page show it
  after: number; // milliseconds from when the stage received it to the painted frame
}

/** How long an edge shows a pulse, in milliseconds. */
const crossing = 900;

const words: Record<Status, string> = {
  idle: "Idle",
  working: "Working",
  ready: "Ready",
  failed: "Failed",
  suspended: "Suspended",
  missing: "Missing",
};

// Each state has its own sign, so that it is clear without its colour.
const signs: Record<Status, string> = {
  idle: "M-4 0h8",
  working: "M5 0A5 5 0 1 1 0 -5M0 -8v6l4 -3z",
  ready: "M-5 0l3.5 4L5 -4",
  failed: "M-4 -4L4 4M4 -4L-4 4",
  suspended: "M-2.5 -4.5v9M2.5 -4.5v9",
  missing: "M-3 -3a3 3 0 1 1 3 3v1.5M0 4.5v.6",
};

/** LiveDiagrams shows the states and pulses of the cluster in the diagrams on a page. */
export class LiveDiagrams {
  private readonly drawings = new Map<HTMLElement, Drawing>();
  private readonly states = new Map<string, State>();
  private known = false;

  /** Sets whether all states of the cluster are known, so that an object without a state is missing. */
  settle(known: boolean): void {
    this.known = known;
    for (const d of this.drawings.values()) {
      for (const n of d.nodes) this.paint(n, this.states.get(n.target));
    }
  }

  /** Adds a drawn diagram, and replaces an earlier one of the same figure. */
  add(figure: HTMLElement, drawing: Drawing): void {
    this.drawings.set(figure, drawing);
    for (const n of drawing.nodes) this.paint(n, this.states.get(n.target));
  }

  /** Drops all diagrams. */
  clear(): void {
    this.drawings.clear();
  }

  /** Shows a new state. */
  state(state: State): void {
    const before = this.states.get(state.target);
    this.states.set(state.target, state);
    let count = 0;
    for (const d of this.drawings.values()) {
      for (const n of d.nodes) {
        if (n.target !== state.target) continue;
        this.paint(n, state);
        count++;
      }
    }
    if (before && before.at === state.at) return; // sent again after a reconnect
    const { target, status, revision } = state;
    painted({ kind: "state", target, status, ...(revision ? { revision } : {}), count }, state.at);
  }

  /** Shows a pulse. */
  pulse(pulse: Pulse): void {
    let count = 0;
    for (const d of this.drawings.values()) {
      for (const index of pulse.edges[d.id] ?? []) {
        const e = d.edges.find((edge) => edge.binding.index === index);
        if (!e) continue;
        run(e);
        count++;
      }
    }
    const { from, to, what, revision } = pulse;
    painted({ kind: "pulse", from, to, what, ...(revision ? { revision } : {}), count }, pulse.at);
  }

  /** Describes a target in a few lines: its name, state, revision, and message, as far as they are known. */
  describe(target: string): string[] {
    const s = this.states.get(target);
    const lines = [titleOf(target)];
    if (!s) return lines;
    lines.push(`${words[s.status]}${s.since > 0 ? ` for ${ago(Date.now() - s.since)}` : ""}`);
    if (s.revision) lines.push(short(s.revision));
    if (s.message) lines.push(s.message);
    return lines;
  }

  private paint(n: LiveNode, state: State | undefined): void {
    if (n.planned) {
      if (!state || state.status === "missing") {
        rest(n);
        return;
      }
      wake(n);
    }
    const status = state?.status ?? (this.known && n.target.includes("/") ? "missing" : undefined);
    if (status && n.group.dataset["status"] !== status) {
      n.group.dataset["status"] = status;
      n.badge.replaceChildren(svg("circle", { r: 14 }), svg("path", { d: signs[status], class: "sign", transform: "scale(1.2)" }));
    }
    const revision = state?.revision ?? "";
    if (revision && n.group.dataset["revision"] && n.group.dataset["revision"] !== revision) flash(n.group);
    n.group.dataset["revision"] = revision;
    n.group.setAttribute("aria-label", this.describe(n.target).join(", "));
  }
}

function flash(group: SVGGElement): void {
  if (group.classList.contains("fresh")) return; // it flashes already
  group.classList.add("fresh");
  group.addEventListener("animationend", () => group.classList.remove("fresh"), { once: true });
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) group.classList.remove("fresh");
}

/** Highlights an edge, and moves a dot along it. */
function run(e: LiveEdge): void {
  const path = e.path;
  path.classList.add("crossed");
  window.clearTimeout(lit.get(path));
  lit.set(path, window.setTimeout(() => path.classList.remove("crossed"), crossing));
  const figure = path.closest<HTMLElement>("figure.diagram");
  const matrix = path.getScreenCTM();
  if (!figure || !matrix || figure.offsetWidth === 0 || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  // The dot lies over the diagram, not in it: the browser moves it without painting the diagram again.
  const box = figure.getBoundingClientRect();
  const scale = box.width / figure.offsetWidth;
  const length = path.getTotalLength();
  const frames = Array.from({ length: stations + 1 }, (_, i) => {
    const at = path.getPointAtLength((length * (e.binding.reverse ? stations - i : i)) / stations).matrixTransform(matrix);
    return { transform: `translate(${(at.x - box.left) / scale}px, ${(at.y - box.top) / scale}px)` };
  });
  const dot = el("span", "parcel");
  dot.style.setProperty("--size", `${(16 * matrix.a) / scale}px`);
  figure.append(dot);
  dot.animate(frames, { duration: crossing, easing: "ease-in-out" }).onfinish = () => dot.remove();
}

/** The number of straight parts of a dot's path. */
const stations = 24;

/** The timers that end the pulses of edges. */
const lit = new WeakMap<SVGPathElement, number>();

/** Dispatches fluxdemo:painted after the frame that shows a state or pulse. */
function painted(what: Omit<Painted, "after">, at: number): void {
  requestAnimationFrame(() => {
    const channel = new MessageChannel(); // its message comes right after the frame
    channel.port1.onmessage = () => {
      channel.port1.close();
      const after = performance.timeOrigin + performance.now() - at;
      document.dispatchEvent(new CustomEvent<Painted>("fluxdemo:painted", { detail: { ...what, after } }));
    };
    channel.port2.postMessage(null);
  });
}
