const themes = ["light", "dark", "contrast"] as const;
export type Theme = (typeof themes)[number];

const key = "fluxdemo-theme";

function known(name: string | null | undefined): Theme | undefined {
  return themes.find((t) => t === name);
}

/** Applies the theme: of the address, else the one chosen with the key, else of the deck, else light. */
export function applyTheme(params: URLSearchParams, deck?: string): void {
  const theme = known(params.get("theme")) ?? known(sessionStorage.getItem(key)) ?? known(deck?.toLowerCase()) ?? "light";
  document.documentElement.dataset["theme"] = theme;
  // What is looked at once has to be there at once.
  document.documentElement.classList.toggle("still", params.has("static") || params.has("view"));
}

/** Changes to the next theme, for this window. */
export function nextTheme(): void {
  const at = themes.indexOf(known(document.documentElement.dataset["theme"]) ?? "light");
  const theme = themes[(at + 1) % themes.length] ?? "light";
  sessionStorage.setItem(key, theme);
  document.documentElement.dataset["theme"] = theme;
  document.dispatchEvent(new Event("fluxdemo:theme"));
}
