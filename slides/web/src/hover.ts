import { el } from "./dom";
import type { LiveDiagrams } from "./live-diagrams";

/** Describes a node of a diagram while the pointer or the focus is on it, and opens it on a click. */
export function hover(root: HTMLElement, live: LiveDiagrams, open: (target: string) => void): void {
  const tip = el("div", "tip");
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  root.append(tip);

  const node = (e: Event): SVGGElement | null =>
    e.target instanceof Element ? e.target.closest<SVGGElement>("g.live") : null;
  const show = (e: Event): void => {
    const n = node(e);
    const target = n?.dataset["target"];
    if (!n || !target) {
      tip.hidden = true;
      return;
    }
    const [name, ...lines] = live.describe(target);
    tip.replaceChildren(el("strong", "", name ?? ""), ...lines.map((l) => el("span", "", l)));
    tip.dataset["status"] = n.dataset["status"] ?? "";
    tip.hidden = false;
    const at = n.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 10;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : Math.min(at.bottom + 10, innerHeight - tip.offsetHeight - 8)}px`;
  };
  const act = (e: Event): void => {
    const target = node(e)?.dataset["target"];
    if (!target) return;
    e.preventDefault();
    tip.hidden = true;
    open(target);
  };
  root.addEventListener("pointerover", show);
  root.addEventListener("focusin", show);
  root.addEventListener("focusout", () => (tip.hidden = true));
  root.addEventListener("click", act);
  root.addEventListener("keydown", (e) => {
    if (e.key === "Enter" || e.key === " ") act(e);
  });
}
