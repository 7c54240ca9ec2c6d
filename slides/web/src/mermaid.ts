import type { Mermaid } from "mermaid";
import script from "mermaid/dist/mermaid.min.js?url";

declare global {
  interface Window {
    mermaid?: Mermaid;
  }
}

let loading: Promise<Mermaid> | undefined;

/** Loads mermaid, once, and only for decks that have diagrams. */
export function loadMermaid(): Promise<Mermaid> {
  loading ??= start();
  return loading;
}

async function start(): Promise<Mermaid> {
  await new Promise<void>((done, failed) => {
    const s = document.createElement("script");
    s.src = script;
    s.onload = () => done();
    s.onerror = () => failed(new Error("cannot load mermaid from this page's server"));
    document.head.append(s);
  });
  // Labels are measured when a diagram is drawn, in the font that they will have.
  await document.fonts.load("600 24px 'Inter Variable'");
  const m = window.mermaid;
  if (!m) throw new Error("mermaid did not start");
  m.initialize({
    startOnLoad: false,
    securityLevel: "strict",
    theme: "base",
    fontFamily: "'Inter Variable', sans-serif",
    themeVariables: { fontSize: "24px" },
    themeCSS: themeCSS,
    flowchart: { htmlLabels: true, useMaxWidth: false, padding: 16, nodeSpacing: 36, rankSpacing: 44, wrappingWidth: 320, subGraphTitleMargin: { top: 5, bottom: 5 } },
    sequence: { useMaxWidth: false },
  });
  return m;
}

// Colours come from the page, so that a diagram follows its theme without being drawn again.
const themeCSS = `
.node rect, .node circle, .node ellipse, .node polygon, .node path, .basic.label-container, .outer-path {
  fill: var(--node) !important; stroke: var(--node-line) !important; stroke-width: 2px;
}
.nodeLabel, .nodeLabel p, .label, .cluster-label, .cluster-label span, .cluster-label p, .edgeLabel, .edgeLabel p,
text.actor > tspan, .messageText, .labelText, .loopText, .noteText, text {
  color: var(--ink) !important; fill: var(--ink);
}
.nodeLabel { font-weight: 600; }
.cluster > rect { fill: var(--cluster) !important; stroke: var(--cluster-line) !important; stroke-width: 1.5px; rx: 12px; ry: 12px; }
.cluster-label, .cluster-label p { font-weight: 600; color: var(--soft) !important; }
.edgePath .path, .flowchart-link, .messageLine0, .messageLine1 { stroke: var(--edge) !important; stroke-width: 2.5px; }
.edge-thickness-thick { stroke-width: 4.5px; }
.edge-thickness-invisible { stroke-width: 0; }
.marker, .marker path, .arrowMarkerPath { fill: var(--edge) !important; stroke: var(--edge) !important; }
.edgeLabel, .edgeLabel p, .labelBkg { background-color: transparent !important; }
.edgeLabel p { padding: 0 6px; border-radius: 6px; background-color: var(--label) !important; font-size: 19px; }
.edgeLabel rect { fill: var(--label) !important; opacity: 1; }
.actor { fill: var(--node) !important; stroke: var(--node-line) !important; }

.node.live > :is(rect, circle, ellipse, polygon, path), .node.live > g:not(.badge) > :is(rect, circle, ellipse, polygon, path) {
  stroke-width: 3.5px;
}
.node.live[data-status="suspended"] > :is(rect, circle, ellipse, polygon, path),
.node.live[data-status="missing"] > :is(rect, circle, ellipse, polygon, path) { stroke-dasharray: 8 6; }
.node.live:focus-visible > :is(rect, circle, ellipse, polygon, path) { stroke: var(--accent) !important; stroke-width: 6px; }
.cluster.live[data-status] > rect { stroke: var(--state) !important; }
.badge > circle { fill: var(--state) !important; stroke: var(--paper) !important; stroke-width: 3px; }
.badge > path.sign {
  fill: none !important; stroke: var(--paper) !important; stroke-width: 3px; stroke-linecap: round; stroke-linejoin: round;
}
.flowchart-link.crossed { stroke: var(--parcel) !important; stroke-width: 6px; }
`;
