/** What a key, a clicker, or a swipe asks of a talk or of this window. */
export type Command = { action: Action } | { action: "slide"; number: number };

type Action =
  | "next" | "back" | "first" | "last" | "again" | "skip" | "stop" | "clock" | "theme" | "full" | "help" | "close" | "blank";

const keys = new Map<string, Action>(Object.entries({
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

/** The shortest swipe, in pixels. */
const swipe = 50;

/** Keyboard turns keys into commands. It remembers the digits of a slide's number. */
export class Keyboard {
  private number = "";

  /** Returns the command of a key, given by its name in the DOM; undefined if it has none, or is a digit. */
  press(key: string): Command | undefined {
    if (/^[0-9]$/.test(key)) {
      this.number = (this.number + key).slice(-4);
      return undefined;
    }
    const typed = this.number;
    this.number = "";
    const what = keys.get(key);
    if (!what) return undefined;
    return key === "Enter" && typed !== "" ? { action: "slide", number: Number(typed) } : { action: what };
  }
}

/** Calls give for each key and swipe. Digits, then Enter, go to a slide, as in Rabbit. */
export function listen(give: (c: Command) => void): void {
  const typed = new Keyboard();
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || busy(e.target, e.key)) return;
    const what = typed.press(e.key);
    if (!what) return;
    e.preventDefault();
    give(what);
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
    if (Math.abs(dx) > swipe && Math.abs(dx) > 2 * Math.abs(dy)) give({ action: dx < 0 ? "next" : "back" });
  });
}

/** Whether the element with the focus handles the key itself: a button, a node of a diagram, a panel that scrolls. */
function busy(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof Element)) return false;
  if (key === "Enter" || key === " ") return target.closest("button, a, [role=button], summary") !== null;
  return key !== "Escape" && target.closest(".panel") !== null;
}

function scrolls(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(".panel, .notes, .terminal") !== null;
}
