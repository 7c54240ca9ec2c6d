/** What a key, a clicker or a finger asks for. */
export type Wish =
  | { do: "next" | "back" | "first" | "last" | "again" | "skip" | "stop" | "clock" | "theme" | "full" | "help" | "close" | "blank" }
  | { do: "slide"; number: number };

const keys: Record<string, Wish["do"]> = {
  ArrowRight: "next",
  ArrowDown: "next",
  PageDown: "next",
  " ": "next",
  Enter: "next",
  n: "next",
  ArrowLeft: "back",
  ArrowUp: "back",
  PageUp: "back",
  Backspace: "back",
  p: "back",
  Home: "first",
  End: "last",
  r: "again",
  s: "skip",
  x: "stop",
  c: "clock",
  t: "theme",
  f: "full",
  b: "blank",
  ".": "blank",
  "?": "help",
  Escape: "close",
};

/** How far a finger has to move for a swipe, in pixels. */
const swipe = 50;

/** Calls wish for each key and swipe. Digits and then Enter name a slide, as in Rabbit. */
export function listen(wish: (w: Wish) => void): void {
  let number = "";
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || busy(e.target, e.key)) return;
    if (/^[0-9]$/.test(e.key)) {
      number = (number + e.key).slice(-4);
      return;
    }
    const typed = number;
    number = "";
    const what = keys[e.key];
    if (!what) return;
    e.preventDefault();
    if (e.key === "Enter" && typed !== "") {
      wish({ do: "slide", number: Number(typed) });
    } else {
      wish({ do: what } as Wish);
    }
  });
  let startX = 0;
  let startY = 0;
  document.addEventListener(
    "touchstart",
    (e) => {
      const t = e.touches[0];
      startX = e.touches.length === 1 && t && !scrolls(e.target) ? t.clientX : NaN;
      startY = t?.clientY ?? 0;
    },
    { passive: true },
  );
  document.addEventListener("touchend", (e) => {
    const t = e.changedTouches[0];
    if (!t) return;
    const [dx, dy] = [t.clientX - startX, t.clientY - startY];
    if (Math.abs(dx) > swipe && Math.abs(dx) > 2 * Math.abs(dy)) wish({ do: dx < 0 ? "next" : "back" });
  });
}

/** Whether the key belongs to what has the focus: a button, a node of a diagram, a panel that scrolls. */
function busy(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof Element)) return false;
  if (key === "Enter" || key === " ") return target.closest("button, a, [role=button], summary") !== null;
  return key !== "Escape" && target.closest(".panel") !== null;
}

function scrolls(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(".panel, .notes, .terminal") !== null;
}
