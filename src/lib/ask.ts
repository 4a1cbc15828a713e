import { request } from 'node:http';
import { reach, type Address } from './address.js';

/** What an app's process answered on a path. */
export interface Answer {
  status: number;
  body: string;
}

/** Names a visitor, as the gateway does: over a socket there is none, and middleware of an app's may look for one. */
export const FROM_HERE = { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' } as const;

/**
 * Asks a process for one path.
 * @param timeoutMs for the whole answer
 * @throws Error where there is none
 */
export function ask(address: Address, path: string, timeoutMs: number, signal?: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const asked = request(
      {
        ...reach(address),
        path,
        agent: false,
        headers: { host: 'localhost', connection: 'close', ...FROM_HERE },
        ...(signal && { signal }),
      },
      (answer) => {
        const parts: Buffer[] = [];
        let size = 0;
        answer.on('data', (part: Buffer) => {
          size += part.length;
          if (size <= 64 * 1024) parts.push(part);
        });
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
        );
        answer.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.on('close', () => clearTimeout(timer));
    asked.end();
  });
}
