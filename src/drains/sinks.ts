import { hostname } from 'node:os';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { counted } from '../lib/words.js';
import { isPublic, notPublic, post, publicLookup, Unreached, unreached } from '../lib/reach.js';
import type { Batch, LogLine } from './buffer.js';

/** How long (ms) a drain has to take what is sent. */
const LIMIT_MS = 10_000;

/** Where lines go. */
export interface Sink {
  /** Sends a batch, and resolves once it was taken. @throws Unreached where nothing of it, or a part, was taken */
  send(batch: Batch): Promise<void>;
  close(): void;
}

/** What a sink is made from. */
export interface SinkOptions {
  /** `https://`, `syslog+tls://` or, with `anywhere`, `http://` and `syslog://`. */
  address: string;
  /** Sent as a bearer token over HTTP. */
  token?: string | undefined;
  /** False where only public addresses may be reached. */
  anywhere: boolean;
}

export function sinkTo(options: SinkOptions): Sink {
  return options.address.startsWith('syslog') ? new SyslogSink(options) : new JsonSink(options);
}

/** Lines that say that others were dropped come from here, not from an app. */
const SELF = 'streamlit-host';

/** The lines of a batch, after one that says how many were dropped. */
export function withNotice({ lines, dropped }: Batch): LogLine[] {
  if (dropped === 0) return lines;
  const text = `${counted(dropped, 'line was', 'lines were')} dropped, since the drain was not reached or too slow.`;
  return [{ app: SELF, release: 0, at: lines[0]?.at ?? Date.now(), text }, ...lines];
}

/** Posts lines as JSON, one object a line (https://github.com/ndjson/ndjson-spec). */
class JsonSink implements Sink {
  readonly #options: SinkOptions;

  constructor(options: SinkOptions) {
    this.#options = options;
  }

  async send(batch: Batch): Promise<void> {
    const { address, token, anywhere } = this.#options;
    const host = hostname();
    const body = withNotice(batch)
      .map(({ app, release, at, text }) =>
        JSON.stringify({
          time: new Date(at).toISOString(),
          host,
          app,
          release: release === 0 ? null : release,
          message: text,
        }),
      )
      .join('\n');
    const headers = {
      'content-type': 'application/x-ndjson',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const { status } = await post({ url: address, headers, body: `${body}\n` }, { anywhere });
    if (status < 200 || status > 299) throw new Unreached(`It answered with status ${status}.`);
  }

  close(): void {
    // Each request has its own connection.
  }
}

/** Facility user-level, severity informational (https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1). */
const PRIORITY = 1 * 8 + 6;

/** A line as a message of syslog, with its length before it (https://www.rfc-editor.org/rfc/rfc5425#section-4.3). */
export function syslogFrame({ app, release, at, text }: LogLine, host: string): string {
  const process = release === 0 ? '-' : String(release);
  const message = `<${PRIORITY}>1 ${new Date(at).toISOString()} ${host} ${app.slice(0, 48)} ${process} - - ${text}`;
  return `${Buffer.byteLength(message)} ${message}`;
}

/** Sends lines to syslog over a connection that stays open. */
class SyslogSink implements Sink {
  readonly #options: SinkOptions;
  /** Connecting or connected. */
  #socket: Socket | undefined;
  #closed = false;

  constructor(options: SinkOptions) {
    this.#options = options;
  }

  async send(batch: Batch): Promise<void> {
    if (this.#closed) throw new Unreached('It was removed.');
    const host =
      hostname()
        .replace(/[^\x21-\x7e]/g, '')
        .slice(0, 255) || '-';
    const text = withNotice(batch)
      .map((line) => syslogFrame(line, host))
      .join('');
    const socket = this.#socket ?? (await this.#connect());
    await new Promise<void>((settle, reject) => {
      const failed = (error?: Error): void => {
        ended();
        this.#drop();
        reject(unreached(error ?? new Error('closed')));
      };
      const late = setTimeout(() => failed(new DOMException('', 'TimeoutError')), LIMIT_MS);
      const closed = (): void => failed();
      const ended = (): void => {
        clearTimeout(late);
        socket.off('error', failed).off('close', closed);
      };
      socket.once('error', failed).once('close', closed);
      socket.write(text, (error) => {
        if (error !== null && error !== undefined) return failed(error);
        ended();
        settle();
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #drop(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  async #connect(): Promise<Socket> {
    const { address, anywhere } = this.#options;
    const url = new URL(address);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (!anywhere && isIP(host) !== 0 && !isPublic(host)) throw notPublic();
    const secure = url.protocol === 'syslog+tls:';
    // https://www.rfc-editor.org/rfc/rfc5425#section-4.1, https://www.rfc-editor.org/rfc/rfc6587#section-2
    const port = url.port === '' ? (secure ? 6_514 : 601) : Number(url.port);
    const options = { host, port, ...(anywhere ? {} : { lookup: publicLookup }) };
    return new Promise((settle, reject) => {
      const socket = secure
        ? connectTls({ ...options, ...(isIP(host) === 0 ? { servername: host } : {}) })
        : connectTcp(options);
      this.#socket = socket;
      const late = setTimeout(() => socket.destroy(new DOMException('', 'TimeoutError')), LIMIT_MS);
      const failed = (error?: Error): void => {
        clearTimeout(late);
        if (this.#socket === socket) this.#socket = undefined;
        reject(unreached(error ?? new Error('closed')));
      };
      // Closed without an error where the drain is removed meanwhile.
      socket.once('error', failed).once('close', () => failed());
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(late);
        // What the other end says is not read, and its end is seen by the next batch at the latest.
        socket.resume();
        socket.on('error', () => undefined);
        socket.setKeepAlive(true, 60_000);
        settle(socket);
      });
    });
  }
}
