import type { Duplex } from 'node:stream';

/** How often (ms) it is looked whether those who have a page open may still. */
const EVERY_MS = 400;

/** Ends open WebSockets within a second once their visitors may not have them any more. */
export class OpenSockets {
  readonly #sockets = new Map<Duplex, () => boolean>();
  #timer: NodeJS.Timeout | undefined;

  /** Watches a socket until it closes. @param may whether its visitor may still have it */
  watch(socket: Duplex, may: () => boolean): void {
    if (socket.destroyed) return;
    this.#sockets.set(socket, may);
    this.#timer ??= setInterval(() => this.#look(), EVERY_MS).unref();
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }

  #look(): void {
    for (const [socket, may] of this.#sockets) if (!may()) socket.destroy();
  }
}
