import type { Control } from "./api";
import type { Deck, Position, Step } from "./wire";
import { carryOut, local } from "./audience";
import { el } from "./dom";
import { clock } from "./words";
import { Help } from "./help";
import { hover } from "./hover";
import { listen } from "./keys";
import { LiveDiagrams } from "./live-diagrams";
import { Notice } from "./notice";
import { detailsOf, Panel } from "./panel";
import { pace } from "./pace";
import { Race } from "./race";
import { inRoom, Room } from "./room";
import { Slides } from "./slides";
import { Store } from "./store";
import { comingStep, phaseWords } from "./steps";
import { applyTheme } from "./theme";
import { settle, unsettle } from "./ready";

/** The presenter's view: this slide and the next, the notes, the time, and the next step. */
export function presenter(params: URLSearchParams, control: Control | undefined): void {
  const room = new Room(() => {
    settle();
  });
  const nextBox = el("div", "slide-box next-box");
  const next = new Slides(nextBox, new LiveDiagrams());
  const nextTitle = el("h2", "label");
  const notes = el("div", "notes");
  const time = el("div", "time");
  const step = el("div", "step-card");
  const problems = el("details", "problems");
  const race = new Race();
  const panel = new Panel(detailsOf(control));
  const help = new Help(true);
  const notice = new Notice();
  const blank = el("div", "blank");
  blank.hidden = true;

  const button = (text: string, label: string, press: () => Promise<void>): HTMLButtonElement => {
    const b = el("button", "", text);
    b.type = "button";
    b.setAttribute("aria-label", label);
    b.onclick = () => void press().catch((e: unknown) => notice.show(e));
    return b;
  };
  const steer = el("div", "steer");
  if (control) {
    steer.append(
      button("◀", "Back", () => control.back()),
      button("Next ▶", "Next", () => control.next()),
    );
  } else {
    steer.append(el("p", "quiet", "Read only. To control the talk, open the presenter's address that fluxdemo present printed."));
  }
  const open = el("a", "open-audience", "Audience view");
  open.href = "./";
  open.target = "fluxdemo-audience";
  open.rel = "opener"; // the window takes over the token, so that keys work there too
  const side = el(
    "div",
    "side",
    el("section", "next-part", nextTitle, nextBox),
    el("section", "notes-part", el("h2", "label", "Notes"), notes),
  );
  document.body.className = "presenter";
  document.body.append(
    room.root,
    side,
    el("footer", "foot", time, step, el("div", "foot-controls", steer, open, problems)),
    race.root,
    panel.root,
    notice.root,
    help.root,
    blank,
  );
  hover(document.body, room.live, (t) => void panel.open(t));

  const draw = (): void => {
    const { deck, position } = store;
    if (!deck || !position) return;
    const slide = deck.slides[position.slide];
    const more = slide !== undefined && position.fragment + 1 < slide.fragments;
    const following = deck.slides[position.slide + 1];
    nextTitle.textContent = more ? "Next: another fragment" : following ? `Next: ${following.title}` : "End of the talk";
    nextBox.hidden = !more && !following;
    next.goTo(more ? { slide: position.slide, fragment: position.fragment + 1 } : { slide: position.slide + 1, fragment: -1 });
    notes.innerHTML = (slide?.notes ?? []).filter((n) => n.after <= position.fragment + 1).map((n) => n.html).join("");
    notes.classList.toggle("empty", notes.childElementCount === 0);
    notes.scrollTop = notes.scrollHeight;
    showStep(step, comingStep(deck, position), store.step, slide?.coming);
    tick();
  };
  const tick = (): void => {
    if (store.deck) showTime(time, store.deck, store.position);
  };
  const store = new Store({
    ...inRoom(room, panel),
    deck(deck) {
      applyTheme(params, deck.meta.theme);
      document.title = `Presenter: ${deck.title}`;
      room.show(deck);
      next.show(deck);
      race.show(deck);
      showProblems(problems, deck);
      draw();
    },
    position(position) {
      unsettle();
      race.goTo(position);
      room.goTo(position);
      draw();
    },
    step(s) {
      room.setStep(s);
      draw();
    },
    connected: (is) => document.body.classList.toggle("away", !is),
  });
  window.setInterval(tick, 250);
  listen((command) => {
    if (local(command, panel, help, blank) || !control) return;
    carryOut(command, control, store.deck).catch((e: unknown) => notice.show(e));
  });
  store.follow();
}

function showStep(
  card: HTMLElement,
  coming: ReturnType<typeof comingStep>,
  step: Step | null,
  missing: string | undefined,
): void {
  card.dataset["phase"] = step?.phase ?? "";
  const parts: Node[] = [];
  const busy = step && ["preparing", "running", "checking", "undoing", "failed"].includes(step.phase);
  if (step && busy) {
    parts.push(el("p", "label", `${step.walk} ${step.number}/${step.of}: ${phaseWords(step)}`), el("p", "step-title", step.title));
    if (step.error) parts.push(el("pre", "step-error", step.error));
  } else if (coming) {
    const { offer, here, slide } = coming;
    const where = here ? "Next step" : `Next step, on slide ${slide + 1}`;
    parts.push(el("p", "label", `${where}: ${offer.walk} ${offer.number}/${offer.of}`), el("p", "step-title", offer.title));
    parts.push(...offer.commands.map((c) => el("pre", "command", c)));
  } else {
    parts.push(el("p", "label", "No more steps"));
  }
  if (missing) parts.push(el("p", "quiet", `The walk ${missing} is not written yet.`));
  card.replaceChildren(...parts);
}

function showTime(root: HTMLElement, deck: Deck, position: Position | undefined): void {
  const now = new Date();
  const p = pace(deck, position, now.getTime());
  const left = p.allotted - p.elapsed;
  const rows: Node[] = [
    el("span", "clock", `${String(now.getHours()).padStart(2, "0")}:${String(now.getMinutes()).padStart(2, "0")}`),
    el("span", "elapsed", p.allotted > 0 ? `${clock(p.elapsed)} of ${clock(p.allotted)}` : clock(p.elapsed)),
  ];
  if (p.allotted > 0 && p.elapsed > 0) {
    const late = p.ahead <= -1000;
    const words = Math.abs(p.ahead) < 1000 ? "on time" : `${late ? "▼ behind" : "▲ ahead"} ${clock(Math.abs(p.ahead))}`;
    rows.push(
      el("span", late ? "pace late" : "pace", words),
      el("span", left < 0 ? "left late" : "left", `${clock(left)} left`),
    );
  }
  if (position) rows.push(el("span", "count", `${position.slide + 1}/${position.slides}`));
  root.replaceChildren(...rows);
}

function showProblems(root: HTMLDetailsElement, deck: Deck): void {
  root.hidden = deck.problems.length === 0;
  root.replaceChildren(
    el("summary", "", deck.problems.length === 1 ? "1 problem in the deck" : `${deck.problems.length} problems in the deck`),
    el("ul", "", ...deck.problems.map((p) => el("li", p.severity, `${p.line}:${p.col} ${p.message}`))),
  );
}
