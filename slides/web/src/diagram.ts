import type { Diagram, EdgeBinding } from "./wire";
import { el, svg } from "./dom";
import { loadMermaid } from "./mermaid";
import { nodeID } from "./node-id";

/** A diagram on the page, with its nodes and edges that are bound to the cluster. */
export interface Drawing {
  id: string;
  nodes: LiveNode[];
  edges: LiveEdge[];
}

export interface LiveNode {
  target: string;
  group: SVGGElement;
  badge: SVGGElement;
  /** The node looks like any other until its target exists. */
  planned: boolean;
}

export interface LiveEdge {
  binding: EdgeBinding;
  path: SVGPathElement;
}

/** The part of mermaid's own model that says which edge is which. */
interface FlowDB {
  getEdges?: () => { id?: string }[];
}

let drawn = 0;
let queue: Promise<unknown> = Promise.resolve();

/** Draws a diagram into its figure, one at a time. If mermaid cannot draw it, shows the source and the error. */
export function draw(figure: HTMLElement, diagram: Diagram): Promise<Drawing | undefined> {
  const next = queue.then(() => drawNow(figure, diagram));
  queue = next;
  return next;
}

async function drawNow(figure: HTMLElement, diagram: Diagram): Promise<Drawing | undefined> {
  const id = `diagram-${++drawn}`;
  try {
    const mermaid = await loadMermaid();
    const { svg: text } = await mermaid.render(id, diagram.source);
    const edges = diagram.bind ? await edgeIDs(diagram.source) : [];
    return insert(figure, id, text, diagram, edges);
  } catch (e) {
    document.getElementById("d" + id)?.remove(); // mermaid leaves this element after an error
    showError(figure, diagram, e instanceof Error ? e.message : String(e));
    return undefined;
  }
}

async function edgeIDs(source: string): Promise<string[]> {
  const mermaid = await loadMermaid();
  const parsed = await mermaid.mermaidAPI.getDiagramFromText(source);
  return ((parsed.db as unknown as FlowDB).getEdges?.() ?? []).map((e) => e.id ?? "");
}

function insert(figure: HTMLElement, id: string, text: string, diagram: Diagram, edges: string[]): Drawing {
  // Sizes are only known of what is laid out, and the figure's slide may be hidden.
  const bench = el("div", "bench");
  bench.innerHTML = text; // mermaid has made it safe
  document.body.append(bench);
  const root = bench.querySelector("svg");
  if (!root) throw new Error("mermaid has returned no drawing");
  root.setAttribute("role", "img");
  raiseTitles(root);
  const box = root.viewBox.baseVal;
  root.removeAttribute("width");
  root.removeAttribute("height");
  root.removeAttribute("style");
  root.style.setProperty("--natural-width", `${box.width}px`);
  root.style.setProperty("--natural-height", `${box.height}px`);
  const drawing = bind(root, id, diagram, edges);
  figure.querySelector(".mermaid-source")?.remove();
  figure.querySelector("svg")?.remove();
  figure.append(root);
  figure.classList.add("drawn");
  bench.remove();
  return drawing;
}

/** Makes room for the titles of boxes that would lie under the boxes inside them. */
function raiseTitles(root: SVGSVGElement): void {
  const boxes = [...root.querySelectorAll<SVGGElement>("g.cluster")].flatMap((group) => {
    const rect = group.querySelector<SVGRectElement>(":scope > rect");
    const label = group.querySelector<SVGGElement>(":scope > .cluster-label");
    return rect && label ? [{ rect, label, area: rect.width.baseVal.value * rect.height.baseVal.value }] : [];
  });
  boxes.sort((a, b) => a.area - b.area); // what is inside comes first
  let top = root.viewBox.baseVal.y;
  for (const [i, outer] of boxes.entries()) {
    const title = outer.label.getBoundingClientRect();
    const covered = boxes.slice(0, i).map(({ rect }) => rect.getBoundingClientRect()).filter((r) => overlap(r, title));
    if (covered.length === 0) continue;
    const by = title.bottom - Math.min(...covered.map((r) => r.top)) + 4;
    const y = outer.rect.y.baseVal.value - by;
    outer.rect.setAttribute("y", String(y));
    outer.rect.setAttribute("height", String(outer.rect.height.baseVal.value + by));
    outer.label.setAttribute("transform", `translate(0,${-by}) ${outer.label.getAttribute("transform") ?? ""}`);
    top = Math.min(top, y - 8);
  }
  const box = root.viewBox.baseVal;
  root.setAttribute("viewBox", `${box.x} ${top} ${box.width} ${box.height + box.y - top}`);
}

function overlap(a: DOMRect, b: DOMRect): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function bind(root: SVGSVGElement, id: string, diagram: Diagram, edgeIDs: string[]): Drawing {
  const drawing: Drawing = { id: diagram.id, nodes: [], edges: [] };
  if (!diagram.bind) return drawing;
  for (const group of root.querySelectorAll<SVGGElement>("g.node")) {
    const target = diagram.bind.nodes[nodeID(group.id, id)];
    if (!target || target === "none") continue;
    drawing.nodes.push(liven(group, target, corner(group, group.getBBox()), diagram.planned));
  }
  for (const group of root.querySelectorAll<SVGGElement>("g.cluster")) {
    const target = diagram.bind.subgraphs?.[group.dataset["id"] ?? nodeID(group.id, id)];
    const rect = group.querySelector("rect");
    if (!target || !rect) continue;
    drawing.nodes.push(liven(group, target, corner(group, rect.getBBox()), diagram.planned));
  }
  const paths = new Map<string, SVGPathElement>();
  for (const p of root.querySelectorAll<SVGPathElement>("path.flowchart-link")) {
    paths.set(p.dataset["id"] ?? p.id, p);
  }
  for (const binding of diagram.bind.edges) {
    const path = paths.get(edgeIDs[binding.index] ?? "");
    if (path) drawing.edges.push({ binding, path });
  }
  return drawing;
}

/** Makes a node or a box live: it gets a badge for its state and can be opened. */
function liven(group: SVGGElement, target: string, at: string, planned = false): LiveNode {
  const badge = svg("g", { class: "badge", transform: `translate(${at})` });
  group.append(badge);
  const node = { target, group, badge, planned };
  if (!planned) wake(node);
  return node;
}

/** Makes a node one that the user can open. */
export function wake({ group, target }: LiveNode): void {
  group.classList.add("live");
  group.dataset["target"] = target;
  group.setAttribute("tabindex", "0");
  group.setAttribute("role", "button");
}

/** Makes a node look like any other. */
export function rest({ group, badge }: LiveNode): void {
  group.classList.remove("live");
  for (const key of ["target", "status", "revision"]) delete group.dataset[key];
  for (const name of ["tabindex", "role", "aria-label"]) group.removeAttribute(name);
  badge.replaceChildren();
}

/** The upper right of a node's outline: on the circle for round ones, in the corner for the others. */
function corner(group: SVGGElement, box: DOMRect): string {
  const round = group.querySelector(":scope > circle, :scope > ellipse") !== null;
  const r = round ? Math.SQRT1_2 : 1;
  const x = box.x + (box.width / 2) * (1 + r);
  const y = box.y + (box.height / 2) * (1 - r);
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}

function showError(figure: HTMLElement, diagram: Diagram, message: string): void {
  figure.classList.add("broken");
  figure.querySelector("svg")?.remove();
  figure.querySelector(".diagram-error")?.remove();
  if (!figure.querySelector(".mermaid-source")) figure.append(el("pre", "mermaid-source", diagram.source));
  figure.prepend(el("p", "diagram-error", "Mermaid cannot draw this diagram. " + (message.split("\n")[0] ?? "")));
}
