/** What a key, a clicker or a finger asks for. */
export type Wish = { do: Simple } | { do: "slide"; number: number };

type Simple =
  | "next" | "back" | "first" | "last" | "again" | "skip" | "stop" | "clock" | "theme" | "full" | "help" | "close" | "blank";

const keys = new Map<string, Simple>(Object.entries({
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
}));

/** How far a finger has to move for a swipe, in pixels. */
const swipe = 50;

/** Keyboard makes wishes of keys, one after another. */
export class Keyboard {
  private number = "";

  /** Takes a key by its name in the DOM; undefined when it asks for nothing, or is a digit of a slide's number. */
  press(key: string): Wish | undefined {
    if (/^[0-9]$/.test(key)) {
      this.number = (this.number + key).slice(-4);
      return undefined;
    }
    const typed = this.number;
    this.number = "";
    const what = keys.get(key);
    if (!what) return undefined;
    return key === "Enter" && typed !== "" ? { do: "slide", number: Number(typed) } : { do: what };
  }
}

/** Calls wish for each key and swipe. Digits and then Enter name a slide, as in Rabbit. */
export function listen(wish: (w: Wish) => void): void {
  const typed = new Keyboard();
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || busy(e.target, e.key)) return;
    const what = typed.press(e.key);
    if (!what) return;
    e.preventDefault();
    wish(what);
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
