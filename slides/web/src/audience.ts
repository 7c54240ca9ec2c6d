import type { Control } from "./api";
import type { Deck, Position } from "./wire";
import { hashOf, parseHash, turn } from "./address";
import { el } from "./dom";
import { hover } from "./hover";
import { listen, type Command } from "./keys";
import { detailsOf, Panel } from "./panel";
import { Race } from "./race";
import { inRoom, Room } from "./room";
import { Store } from "./store";
import { applyTheme, nextTheme } from "./theme";
import { settle, unsettle } from "./ready";
import { Help } from "./help";
import { Notice } from "./notice";

/** The audience's view: the slide, the terminal beside it, and the race. It follows the presenter. */
export function audience(params: URLSearchParams, control: Control | undefined, still: Deck | undefined): void {
  const settled = (): void => {
    settle();
  };
  const room = new Room(settled);
  const race = new Race();
  const panel = new Panel(detailsOf(control));
  const help = new Help(control !== undefined);
  const notice = new Notice();
  const back = el("button", "astray", "Back to the presenter");
  back.type = "button";
  back.hidden = true;
  const blank = el("div", "blank");
  blank.hidden = true;
  document.body.className = "audience";
  document.body.append(room.root, race.root, panel.root, back, notice.root, help.root, blank);
  hover(document.body, room.live, (t) => void panel.open(t));

  let position: Position | undefined; // the presenter's
  let astray = location.hash !== ""; // a link has led to another position

  const arrive = (p: Position): void => {
    unsettle();
    race.goTo(p);
    room.goTo(p);
  };
  const visit = (): void => {
    const deck = store.deck;
    const there = deck && parseHash(location.hash, deck);
    if (!deck || !there) {
      astray = false;
      if (position) arrive(position);
      return;
    }
    const slide = deck.slides[there.slide];
    const target: Position = {
      started: 0, ...position, ...there, slides: deck.slides.length, id: slide?.id ?? "", title: slide?.title ?? "", press: 0,
    };
    astray = !still && (position === undefined || hashOf(position) !== hashOf(target));
    back.hidden = !astray;
    arrive(target);
  };

  const store = new Store({
    ...inRoom(room, panel),
    deck(deck) {
      applyTheme(params, deck.meta.theme);
      document.title = deck.title;
      room.show(deck);
      race.show(deck);
      if (still || astray) visit();
    },
    position(p) {
      const moved = position !== undefined && hashOf(position) !== hashOf(p);
      position = p;
      if (astray && !moved && !atPresenter()) return;
      astray = false;
      back.hidden = true;
      history.replaceState(null, "", location.pathname + location.search + hashOf(p));
      arrive(p);
    },
    step: (s) => room.setStep(s),
    connected(is) {
      document.body.classList.toggle("away", !is);
    },
  });
  const atPresenter = (): boolean => position !== undefined && location.hash === hashOf(position);

  back.onclick = () => {
    if (!position) return;
    history.replaceState(null, "", location.pathname + location.search + hashOf(position));
    visit();
  };
  window.addEventListener("hashchange", visit);

  listen((command) => {
    if (local(command, panel, help, blank)) return;
    if (still) {
      browse(command, still);
    } else if (control) {
      carryOut(command, control, store.deck).catch((e: unknown) => notice.show(e));
    }
  });

  if (still) {
    store.still(still);
    if (location.hash === "") visitFirst();
  } else {
    store.follow();
  }

  function visitFirst(): void {
    const first = still?.slides[0];
    if (first) history.replaceState(null, "", "#/" + encodeURIComponent(first.id));
    visit();
  }

  /** Carries out a command in a deck without a stage. */
  function browse(command: Command, deck: Deck): void {
    const to = turn(command, parseHash(location.hash, deck) ?? { slide: 0, fragment: -1 }, deck);
    if (!to) return;
    const id = deck.slides[to.slide]?.id ?? "";
    history.replaceState(null, "", location.pathname + location.search + hashOf({ id, fragment: to.fragment }));
    visit();
  }
}

/** Carries out a command that is for this window only, and reports whether it was one. */
export function local(command: Command, panel: Panel, help: Help, blank: HTMLElement): boolean {
  switch (command.action) {
    case "theme":
      nextTheme();
      return true;
    case "full":
      if (document.fullscreenElement) void document.exitFullscreen();
      else void document.documentElement.requestFullscreen();
      return true;
    case "blank":
      blank.hidden = !blank.hidden;
      return true;
    case "help":
      help.toggle();
      return true;
    case "close":
      if (help.isOpen) help.toggle();
      else panel.close();
      return true;
    default:
      blank.hidden = true;
      return false;
  }
}

/** Gives the stage a command. */
export async function carryOut(command: Command, control: Control, deck: Deck | undefined): Promise<void> {
  switch (command.action) {
    case "next":
      return control.next();
    case "back":
      return control.back();
    case "first":
      return control.goTo("1");
    case "last":
      return control.goTo(String(deck?.slides.length ?? 1));
    case "slide":
      return control.goTo(String(command.number));
    case "again":
    case "skip":
    case "stop":
      return control.step(command.action);
    case "clock":
      return control.resetClock();
    default:
      return undefined;
  }
}
