/** A rough time span: 8 s, 3 min, 2 h, 5 d. */
export function ago(milliseconds: number): string {
  const s = Math.max(0, Math.round(milliseconds / 1000));
  if (s < 100) return `${s} s`;
  if (s < 100 * 60) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

/** A clock's time span: 2:05, 1:02:05; with a minus when it is below zero. */
export function clock(milliseconds: number): string {
  const sign = milliseconds < 0 ? "−" : "";
  const s = Math.floor(Math.abs(milliseconds) / 1000);
  const two = (n: number): string => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  const m = Math.floor((s % 3600) / 60);
  return sign + (h > 0 ? `${h}:${two(m)}` : String(m)) + ":" + two(s % 60);
}

/** A revision with a short hash: main@sha1:1a2b3c4. */
export function short(revision: string): string {
  return revision.replace(/(sha1:|sha256:)([0-9a-f]{7})[0-9a-f]+/, "$1$2");
}

const roles: Record<string, string> = {
  user: "User", git: "Git host", webhook: "Webhook", flux: "Flux", kubernetes: "Kubernetes", app: "App", inbox: "Inbox", registry: "Registry",
};

/** What a target is called: a role in words, an object by its kind, namespace, and name. */
export function titleOf(target: string): string {
  return roles[target] ?? target;
}
