/** Marks the page as completely drawn, for exports and tests, and marks the time of the first call. */
export function settle(): void {
  document.documentElement.dataset["ready"] = "true";
  if (performance.getEntriesByName("fluxdemo:ready").length === 0) performance.mark("fluxdemo:ready");
}

/** Marks the page as incomplete before a change. */
export function unsettle(): void {
  document.documentElement.dataset["ready"] = "false";
}
