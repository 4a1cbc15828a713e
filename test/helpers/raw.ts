import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';

/** An answer as it came. */
export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Asks with just these headers, which `fetch` would not send, on a connection of its own. */
export async function askRaw(
  base: string,
  path: string,
  options: { method?: string; headers?: Record<string, string | string[]>; body?: string } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(base);
  const asked = request({
    host: hostname,
    port,
    path,
    agent: false,
    method: options.method ?? 'GET',
    headers: options.headers,
    maxHeaderSize: 256 * 1024,
  });
  asked.end(options.body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let body = '';
  for await (const part of answer.setEncoding('utf8')) body += part as string;
  return { status: answer.statusCode ?? 0, headers: answer.headers, body };
}

/** Waits for the end of a connection, whatever it is: for `events.once()`, a reset is a failure and not an end. */
export async function closeOf(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

/** Sends bytes as they are. @returns all that comes back until the other side closes */
export async function sayRaw(base: string, text: string): Promise<string> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  let said = '';
  socket.on('data', (data: Buffer) => (said += data.toString('latin1')));
  socket.on('error', () => undefined); // A reset is an end like any other here.
  const closed = closeOf(socket);
  socket.write(text, 'latin1');
  await closed;
  return said;
}
