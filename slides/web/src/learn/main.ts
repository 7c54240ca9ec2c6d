import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import "@xterm/xterm/css/xterm.css";
import "../styles/theme.css";
import "../styles/diagram.css";
import "../styles/parts.css";
import "../styles/learn.css";
import { el } from "../dom";
import { applyTheme } from "../theme";
import { Access } from "./access";
import { Page } from "./page";

const tokenKey = "fluxdemo-learn-token";

/** Removes the token from the address, so that no screenshot shows it, and keeps it for this window. */
function takeToken(): string | null {
  const given = location.hash.match(/^#token=([\w-]+)$/)?.[1];
  if (given) {
    sessionStorage.setItem(tokenKey, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(tokenKey);
}

function start(): void {
  const params = new URLSearchParams(location.search);
  applyTheme(params, matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const token = takeToken();
  if (token) {
    new Page(new Access(token)).start();
    return;
  }
  document.body.append(el("p", "fatal", "Open the whole address that fluxdemo learn printed: what is behind # lets you in."));
}

start();
