import { el } from "./dom";

const moving: [string, string][] = [
  ["→  PageDown  Space  Enter", "next: a wait, a step, a slide"],
  ["←  PageUp  Backspace", "back; a step is undone"],
  ["Home  End  7 Enter", "first, last, seventh slide"],
  ["r", "run the last step again"],
  ["s", "leave a failed step behind"],
  ["x", "stop the step that runs"],
  ["c", "start the clock anew"],
];
const seeing: [string, string][] = [
  ["t", "theme: light, dark, high contrast"],
  ["f", "full screen"],
  ["b  .", "blank this window"],
  ["Esc", "close what is open"],
  ["?", "this help"],
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
