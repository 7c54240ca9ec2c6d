/** Says that all that is shown is drawn: exports and tests wait for it. The first time is when the talk could begin. */
export function settle(): void {
  document.documentElement.dataset["ready"] = "true";
  if (performance.getEntriesByName("fluxdemo:ready").length === 0) performance.mark("fluxdemo:ready");
}

/** Says that something else is about to be shown. */
export function unsettle(): void {
  document.documentElement.dataset["ready"] = "false";
}
