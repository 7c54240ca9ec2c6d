import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import "reveal.js/reveal.css";
import "@xterm/xterm/css/xterm.css";
import "./styles/theme.css";
import "./styles/slide.css";
import "./styles/diagram.css";
import "./styles/parts.css";
import "./styles/stage.css";
import "./styles/presenter.css";
import "./styles/print.css";
import { Control, fetchDeck } from "./api";
import { audience } from "./audience";
import { el } from "./dom";
import { presenter } from "./presenter";
import { print } from "./print";
import { applyTheme } from "./theme";

const tokenKey = "fluxdemo-token";

/** Removes the token from the address, so that no screenshot shows it, and keeps it for this window. */
function takeControl(): Control | undefined {
  const given = location.hash.match(/^#token=([\w-]+)$/)?.[1];
  if (given) {
    sessionStorage.setItem(tokenKey, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  const token = sessionStorage.getItem(tokenKey);
  return token ? new Control(token) : undefined;
}

async function start(): Promise<void> {
  const params = new URLSearchParams(location.search);
  applyTheme(params);
  const alone = window.fluxdemoDeck;
  if (params.get("view") === "print") {
    await print(params, alone ?? (await fetchDeck()).deck);
  } else if (alone) {
    audience(params, undefined, alone);
  } else if (params.has("static")) {
    audience(params, undefined, (await fetchDeck()).deck);
  } else if (location.pathname.endsWith("/presenter")) {
    presenter(params, takeControl());
  } else {
    audience(params, takeControl(), undefined);
  }
}

start().catch((e: unknown) => {
  document.body.replaceChildren(el("p", "fatal", e instanceof Error ? e.message : String(e)));
});
