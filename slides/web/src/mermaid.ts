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
    s.onerror = () => failed(new Error("mermaid could not be loaded from this page's own server"));
    document.head.append(s);
  });
  // Labels are measured when a diagram is drawn, in the font that they will have.
  await document.fonts.load("600 18px 'Inter Variable'");
  const m = window.mermaid;
  if (!m) throw new Error("mermaid did not start");
  m.initialize({
    startOnLoad: false,
    securityLevel: "strict",
    theme: "base",
    fontFamily: "'Inter Variable', sans-serif",
    themeVariables: { fontSize: "18px" },
    themeCSS: themeCSS,
    flowchart: { htmlLabels: true, useMaxWidth: false, padding: 18, nodeSpacing: 50, rankSpacing: 60, wrappingWidth: 260 },
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
.cluster rect { fill: var(--cluster) !important; stroke: var(--cluster-line) !important; stroke-width: 1.5px; rx: 12px; ry: 12px; }
.cluster-label, .cluster-label p { font-weight: 600; color: var(--soft) !important; }
.edgePath .path, .flowchart-link, .messageLine0, .messageLine1 { stroke: var(--edge) !important; stroke-width: 2.5px; }
.edge-thickness-thick { stroke-width: 4.5px; }
.edge-thickness-invisible { stroke-width: 0; }
.marker, .marker path, .arrowMarkerPath { fill: var(--edge) !important; stroke: var(--edge) !important; }
.edgeLabel, .edgeLabel p, .labelBkg { background-color: var(--paper) !important; }
.edgeLabel rect { fill: var(--paper) !important; opacity: 1; }
.edgeLabel p { padding: 0 6px; font-size: 16px; }
.actor { fill: var(--node) !important; stroke: var(--node-line) !important; }
`;
