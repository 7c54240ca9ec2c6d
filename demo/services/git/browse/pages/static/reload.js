// Loads the page again when something was pushed. Without scripts, the reader does that.
"use strict";
const last = Number(document.currentScript.dataset.last);
let lost = false;
const events = new EventSource("/events");
for (const kind of ["push", "delivery"]) {
  events.addEventListener(kind, (e) => { if (Number(e.lastEventId) > last) location.reload(); });
}
events.addEventListener("open", () => { if (lost) location.reload(); });
events.addEventListener("error", () => {
  lost = true;
  // A proxy's error answer ends an EventSource for good; the page itself is asked until it is there again.
  if (events.readyState === EventSource.CLOSED) {
    setInterval(() => fetch("/healthz").then((r) => { if (r.ok) location.reload(); }, () => {}), 1000);
  }
});
