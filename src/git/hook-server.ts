import { chmod, rename, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { harmless } from './harmless.js';

const STDOUT = 1;
const STDERR = 2;
const EXIT = 3;
/** The most that a hook may send before its first newline, in bytes. */
const MAX_GREETING = 256 * 1024;
/** How long hooks may take to finish when the server stops, in ms. */
const CLOSE_MS = 2_000;

/** A hook was killed, and its git with it: nobody is left to be told. */
export class HookGone extends Error {}

/** A running git hook. */
export interface HookCall {
  hook: 'pre-receive' | 'proc-receive';
  /** The secret of its push. */
  push: string;
  /** git's own variables, with which a push's objects are visible before they are accepted. */
  env: Record<string, string>;
  /** The push options that the hook received. */
  options: readonly string[];
  /** git's input to the hook. @throws HookGone */
  input: AsyncIterable<Buffer>;
  /** Writes to the hook's standard output, which is git. */
  answer(bytes: Uint8Array): void;
  /** Writes a line to the pusher's terminal. */
  say(text: string): void;
  /** Ends the hook. */
  exit(code: number): void;
}

/**
 * Serves git's hooks on a unix socket that only this user can reach. Apps may run as the same user, so a hook proves
 * with its push's secret which push it belongs to.
 */
export class HookServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #path: string;

  constructor(path: string, handle: (call: HookCall) => Promise<void>, failed: (error: unknown) => void) {
    this.#path = path;
    // The hook closes its half first, when git has said everything; the answer still has to go back.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      serve(socket, handle).catch((error: unknown) => {
        failed(error);
        socket.destroy();
      });
    });
  }

  async listen(): Promise<void> {
    await ensureFolder(dirname(this.#path), 0o700);
    // Node removes the name that it has made when it closes the socket, which may be after the next server has its own there.
    const draft = join(dirname(this.#path), `h${process.pid}`);
    await rm(draft, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(draft, resolve);
    });
    await chmod(draft, 0o600);
    await rename(draft, this.#path);
  }

  /** Accepts no more hooks; those that were answered get the time to receive it. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const timer = setTimeout(() => this.#sockets.forEach((socket) => socket.destroy()), CLOSE_MS);
    await closed;
    clearTimeout(timer);
  }
}

async function serve(socket: Socket, handle: (call: HookCall) => Promise<void>): Promise<void> {
  const input = socket.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  while (!head.includes(0x0a)) {
    const next = await input.next();
    if (next.done === true || head.length > MAX_GREETING) throw new Error('a hook ended before it said who it is');
    head = Buffer.concat([head, next.value]);
  }
  const end = head.indexOf(0x0a);
  const greeting = JSON.parse(head.subarray(0, end).toString('utf8')) as {
    hook?: unknown;
    push?: unknown;
    env?: unknown;
    options?: unknown;
  };
  if (greeting.hook !== 'pre-receive' && greeting.hook !== 'proc-receive') throw new Error('an unknown hook called');
  const rest = head.subarray(end + 1);
  const send = (channel: number, bytes: Uint8Array): void => {
    if (socket.destroyed) return;
    const frame = Buffer.alloc(5);
    frame[0] = channel;
    frame.writeUInt32BE(bytes.length, 1);
    socket.write(Buffer.concat([frame, bytes]));
  };
  await handle({
    hook: greeting.hook,
    push: typeof greeting.push === 'string' ? greeting.push : '',
    env: strings(greeting.env),
    options: Array.isArray(greeting.options) ? greeting.options.map(String) : [],
    input: {
      async *[Symbol.asyncIterator]() {
        if (rest.length > 0) yield rest;
        for (;;) {
          const next = await input.next().catch((cause: unknown) => {
            throw new HookGone('a hook ended before git had said everything', { cause });
          });
          if (next.done === true) return;
          yield next.value;
        }
      },
    },
    answer: (bytes) => send(STDOUT, bytes),
    say: (text) => send(STDERR, Buffer.from(`${harmless(text)}\n`, 'utf8')),
    exit: (code) => {
      send(EXIT, Uint8Array.of(code));
      socket.end();
    },
  });
}

function strings(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
