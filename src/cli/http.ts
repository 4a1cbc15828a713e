import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Readable } from 'node:stream';
import { hasCode, messageOf } from '../errors.js';
import { unreachable } from './failures.js';
import type { Target } from './where.js';

/** How long (ms) a server may be silent before it counts as gone. */
const SILENCE_MS = 60_000;

export interface Sending {
  method: string;
  /** With a leading slash, below the server's URL. */
  path: string;
  headers?: Record<string, string>;
  body?: string | Readable;
  signal?: AbortSignal;
  /** How long (ms) it may be silent. */
  silenceMs?: number;
}

/**
 * Sends a request and resolves with the head of its answer. A body is no longer sent once the answer arrives, since
 * the server has decided. The token is sent to this URL only: redirects are not followed.
 * @throws Refusal `not-reachable`
 */
export async function send(target: Target, sending: Sending): Promise<IncomingMessage> {
  const url = new URL(target.url + sending.path);
  const secure = url.protocol === 'https:';
  const request = secure ? (await import('node:https')).request : requestHttp;
  const headers: Record<string, string> = {
    'user-agent': 'streamlit-host-cli',
    accept: 'application/json',
    ...sending.headers,
  };
  if (target.token !== undefined) headers.authorization = `Bearer ${target.token}`;
  const { body, signal, silenceMs = SILENCE_MS } = sending;
  if (typeof body === 'string') headers['content-length'] = String(Buffer.byteLength(body));
  const options: RequestOptions = {
    method: sending.method,
    headers,
    agent: false,
    ...(signal === undefined ? {} : { signal }),
  };

  return new Promise((resolve, reject) => {
    let source: Error | undefined;
    const asked = request(url, options, (answer) => {
      if (body !== undefined && typeof body !== 'string') body.destroy();
      resolve(answer);
    });
    asked.setTimeout(silenceMs, () => asked.destroy(new Error(`it sent nothing for ${silenceMs / 1_000} seconds`)));
    asked.on('error', (error) =>
      reject(source ?? (signal?.aborted === true ? error : unreachable(sentence(target.url, error), error))),
    );
    if (body === undefined || typeof body === 'string') {
      asked.end(body);
      return;
    }
    // What goes wrong with the source is what is told, not that the request was given up for it.
    body.once('error', (error: Error) => {
      source = error;
      asked.destroy();
    });
    body.pipe(asked);
  });
}

/** Reads the body of an answer as text. @throws Refusal `not-reachable` */
export async function readText(target: Target, answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of answer as AsyncIterable<Buffer>) parts.push(part);
  } catch (error) {
    throw unreachable(sentence(target.url, error), error);
  }
  return Buffer.concat(parts).toString('utf8');
}

function sentence(url: string, error: unknown): string {
  const why = hasCode(error, 'ECONNREFUSED')
    ? 'nothing is listening there'
    : hasCode(error, 'ENOTFOUND') || hasCode(error, 'EAI_AGAIN')
      ? 'its host name cannot be resolved'
      : hasCode(error, 'EPROTO')
        ? 'it does not speak HTTPS; try http://'
        : messageOf(error) || 'the connection failed';
  return `Cannot reach the server at ${url}: ${why}.`;
}
