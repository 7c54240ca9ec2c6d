/** The node's ID in the source, from what mermaid makes of it: <diagram>-flowchart-<node>-<number>. */
export function nodeID(domID: string, diagram: string): string {
  const own = domID.startsWith(diagram + "-") ? domID.slice(diagram.length + 1) : domID;
  return own.replace(/^flowchart-/, "").replace(/-\d+$/, "");
}
