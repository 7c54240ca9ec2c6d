import type { Control } from "./api";
import type { Deck, Place } from "./wire";
import { hashOf, parseHash, turn } from "./address";
import { el } from "./dom";
import { hover } from "./hover";
import { listen, type Wish } from "./keys";
import { Panel } from "./panel";
import { Race } from "./race";
import { Room } from "./room";
import { Store } from "./store";
import { applyTheme, nextTheme } from "./theme";
import { settle, unsettle } from "./ready";
import { Help } from "./help";
import { Notice } from "./notice";

/** What the audience sees: the slide, the terminal beside it, and the race. It follows the speaker. */
export function audience(params: URLSearchParams, control: Control | undefined, still: Deck | undefined): void {
  const settled = (): void => {
    settle();
  };
  const room = new Room(settled);
  const race = new Race();
  const panel = new Panel();
  const help = new Help(control !== undefined);
  const notice = new Notice();
  const back = el("button", "astray", "Back to the speaker");
  back.type = "button";
  back.hidden = true;
  const blank = el("div", "blank");
  blank.hidden = true;
  document.body.className = "audience";
  document.body.append(room.root, race.root, panel.root, back, notice.root, help.root, blank);
  hover(document.body, room.lively, (t) => void panel.open(t));

  let place: Place | undefined; // the speaker's
  let astray = location.hash !== ""; // somebody has followed a link to another place

  const arrive = (p: Place): void => {
    unsettle();
    race.goTo(p);
    room.goTo(p);
  };
  const visit = (): void => {
    const deck = store.deck;
    const there = deck && parseHash(location.hash, deck);
    if (!deck || !there) {
      astray = false;
      if (place) arrive(place);
      return;
    }
    const slide = deck.slides[there.slide];
    const target: Place = {
      started: 0, ...place, ...there, slides: deck.slides.length, id: slide?.id ?? "", title: slide?.title ?? "", beat: 0,
    };
    astray = !still && (place === undefined || hashOf(place) !== hashOf(target));
    back.hidden = !astray;
    arrive(target);
  };

  const store = new Store({
    deck(deck) {
      applyTheme(params, deck.meta.theme);
      document.title = deck.title;
      room.show(deck);
      race.show(deck);
      if (still || astray) visit();
    },
    place(p) {
      const moved = place !== undefined && hashOf(place) !== hashOf(p);
      place = p;
      if (astray && !moved && !atSpeaker()) return;
      astray = false;
      back.hidden = true;
      history.replaceState(null, "", location.pathname + location.search + hashOf(p));
      arrive(p);
    },
    step: (s) => room.setStep(s),
    state(s) {
      room.state(s);
      panel.changed(s.target);
    },
    settle: (known) => room.settle(known),
    pulse: (p) => room.pulse(p),
    terminal: (t) => room.write(t),
    connected(is) {
      document.body.classList.toggle("away", !is);
    },
  });
  const atSpeaker = (): boolean => place !== undefined && location.hash === hashOf(place);

  back.onclick = () => {
    if (!place) return;
    history.replaceState(null, "", location.pathname + location.search + hashOf(place));
    visit();
  };
  window.addEventListener("hashchange", visit);

  listen((wish) => {
    if (local(wish, panel, help, blank)) return;
    if (still) {
      browse(wish, still);
    } else if (control) {
      move(wish, control, store.deck).catch((e: unknown) => notice.show(e));
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

  /** Moves through a deck that has no stage behind it. */
  function browse(wish: Wish, deck: Deck): void {
    const to = turn(wish, parseHash(location.hash, deck) ?? { slide: 0, fragment: -1 }, deck);
    if (!to) return;
    const id = deck.slides[to.slide]?.id ?? "";
    history.replaceState(null, "", location.pathname + location.search + hashOf({ id, fragment: to.fragment }));
    visit();
  }
}

/** Carries out a wish that is about this window only. */
export function local(wish: Wish, panel: Panel, help: Help, blank: HTMLElement): boolean {
  switch (wish.do) {
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

/** Carries out a wish that moves the talk. */
export async function move(wish: Wish, control: Control, deck: Deck | undefined): Promise<void> {
  switch (wish.do) {
    case "next":
      return control.next();
    case "back":
      return control.back();
    case "first":
      return control.goTo("1");
    case "last":
      return control.goTo(String(deck?.slides.length ?? 1));
    case "slide":
      return control.goTo(String(wish.number));
    case "again":
    case "skip":
    case "stop":
      return control.step(wish.do);
    case "clock":
      return control.resetClock();
    default:
      return undefined;
  }
}
