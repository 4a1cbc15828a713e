import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** The names under which something secret may come by, at the first three levels of what is logged. */
const SECRET_KEYS = [
  'token',
  'authorization',
  'Authorization',
  'cookie',
  'set-cookie',
  'password',
  'secret',
  'cookieSecret',
];

const LEVELS: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

/**
 * The platform's own log: JSON lines, or short readable lines where a person watches a terminal.
 * @param level the least level that is written: trace, debug, info, warn, error, fatal or silent
 * @param destination where to; the standard output unless told
 * @param copy receives every line as well, made readable
 */
export function createLogger(
  level: string,
  destination: NodeJS.WritableStream = process.stdout,
  copy?: (line: string) => void,
): Logger {
  const onTerminal = 'isTTY' in destination && destination.isTTY === true;
  // The disk is full that it is kept on, or its reader is gone: the line is lost, and the server continues.
  destination.on('error', () => undefined);
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: {
        paths: SECRET_KEYS.flatMap((key) => ['', '*', '*.*'].map((parents) => `${parents}["${key}"]`)),
        censor: '[hidden]',
      },
    },
    copy === undefined
      ? onTerminal
        ? readable(destination)
        : destination
      : both(onTerminal ? readable(destination) : destination, copy),
  );
}

/** Writes to one place as it is, and tells the lines to another as people read them. */
function both(destination: NodeJS.WritableStream, copy: (line: string) => void): NodeJS.WritableStream {
  return new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      destination.write(line);
      copy(readableLine(String(line)).replace(/^\S+ /, ''));
      done();
    },
  });
}

/** Turns JSON lines into lines such as `12:03:04 info  app started app=hello port=8501`. */
function readable(destination: NodeJS.WritableStream): NodeJS.WritableStream {
  return new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      destination.write(readableLine(String(line)));
      done();
    },
  });
}

function readableLine(json: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const clock = new Date(String(time)).toTimeString().slice(0, 8);
  const facts = Object.entries(rest).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const text = typeof msg === 'string' ? ` ${msg}` : '';
  return `${clock} ${(LEVELS[Number(level)] ?? String(level)).padEnd(5)}${text}${facts.join('')}\n${stackOf(err)}`;
}

function stackOf(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const text = 'stack' in err ? err.stack : 'message' in err ? err.message : undefined;
  return typeof text === 'string' ? `${text}\n` : '';
}
