import { fetchDetail } from "../api";
import { el } from "../dom";
import type { Detail } from "../wire";
import type { CommandAnswer, CommandRequest } from "./wire";

/** The delay before a new connection, in milliseconds. */
const retry = 400;

/** What comes over a connection. */
export interface Receiver {
  /** There is a connection. */
  open(): void;
  /** The connection is lost; another one follows. */
  lost(): void;
  text(json: string): void;
  bytes(data: Uint8Array): void;
}

/** Connection is a WebSocket that is opened again whenever it is lost. */
export class Connection {
  private socket: WebSocket | undefined;

  constructor(
    private readonly access: Access,
    private readonly path: string,
    private readonly to: Receiver,
  ) {
    this.open();
  }

  /** Sends a message; it is lost without a connection. */
  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  private open(): void {
    const s = this.access.socket(this.path);
    this.socket = s;
    s.binaryType = "arraybuffer";
    s.onopen = () => this.to.open();
    s.onmessage = (e: MessageEvent<string | ArrayBuffer>) => {
      if (typeof e.data === "string") this.to.text(e.data);
      else this.to.bytes(new Uint8Array(e.data));
    };
    s.onclose = () => {
      this.to.lost();
      window.setTimeout(() => {
        void this.access.check().then((is) => {
          if (is) this.open();
        });
      }, retry);
    };
  }
}

/** Access reaches the server with its token. */
export class Access {
  constructor(private readonly token: string) {}

  /** Opens a WebSocket. It can carry the token only as a subprotocol. */
  socket(path: string): WebSocket {
    return new WebSocket(`ws://${location.host}/${path}`, ["fluxdemo", "fluxdemo.token." + this.token]);
  }

  /** Reports whether the token may still be good, and says on the page if it is not. */
  async check(): Promise<boolean> {
    try {
      const answer = await fetch("api/detail", { headers: this.headers() });
      if (answer.status !== 401) return true;
    } catch {
      return true; // the server does not answer just now
    }
    document.body.replaceChildren(
      el("p", "fatal", "This page belongs to a fluxdemo learn that has ended. Open the address that the new one printed."),
    );
    return false;
  }

  /** Has the server do something. It resolves once that is taken, to the number that the lesson has from then on. */
  async command(command: string): Promise<number> {
    const request: CommandRequest = { command };
    const answer = await fetch("api/command", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...this.headers() },
      body: JSON.stringify(request),
    });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return ((await answer.json()) as CommandAnswer).taken;
  }

  detail(target: string): Promise<Detail> {
    return fetchDetail(target, this.headers());
  }

  private headers(): Record<string, string> {
    return { Authorization: "Bearer " + this.token };
  }
}
