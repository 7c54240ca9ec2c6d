import { el } from "./dom";

const moving: [string, string][] = [
  ["→  PageDown  Space  Enter", "next: show a fragment, run a step, or turn to a slide"],
  ["←  PageUp  Backspace", "back, undoing a step"],
  ["Home  End  7 Enter", "first, last, or seventh slide"],
  ["r", "run the last step again"],
  ["s", "skip a failed step"],
  ["x", "stop the running step"],
  ["c", "restart the clock"],
];
const seeing: [string, string][] = [
  ["t", "change the theme: light, dark, high contrast"],
  ["f", "full screen"],
  ["b  .", "blank this window"],
  ["Esc", "close the panel or the help"],
  ["?", "show this help"],
];

/** Help lists the keys. */
export class Help {
  readonly root = el("div", "help");

  constructor(control: boolean) {
    const rows = (control ? [...moving, ...seeing] : seeing).map(([k, what]) =>
      el("div", "", el("dt", "", ...k.split("  ").map((one) => el("kbd", "", one))), el("dd", "", what)),
    );
    this.root.append(el("dl", "", ...rows));
    this.root.hidden = true;
    this.root.onclick = () => this.toggle();
  }

  get isOpen(): boolean {
    return !this.root.hidden;
  }

  toggle(): void {
    this.root.hidden = !this.root.hidden;
  }
}
