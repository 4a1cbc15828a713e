import type { Duplex } from 'node:stream';

/** What the first step says when what it hands over is open. */
const READY = 'ready\n';
/** The header of a frame (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach). */
const HEADER = 8;
/** How much is kept of what the first step says, in bytes. */
const MOST = 16 * 1024;

/** What a command is told before it is one, as `python/container.py` reads it. */
export interface Head {
  umask: number;
  /** Paths in the container. */
  log: string;
  socket: string | undefined;
  cwd: string;
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
}

/** The head in bytes: its length, and its parts. */
export function encodeHead({ umask, log, socket = '', cwd, command, environment }: Head): Buffer {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const words = [String(umask), log, socket, cwd, String(command.length), ...command, ...variables];
  const bytes = Buffer.from(words.join('\0'));
  return Buffer.concat([Buffer.from(String(bytes.length).padStart(8, '0')), bytes]);
}

/** The connection to a container's stdin, which begins with the head. */
export class Attached {
  readonly #stream: Duplex;
  #bytes = Buffer.alloc(0);
  #said = '';

  constructor(stream: Duplex) {
    this.#stream = stream;
    // It may end before it has read its order: its end tells more than the broken pipe.
    stream.on('error', () => undefined);
  }

  /** Waits until the first step is done. @param limitMs how long that may take @returns what it said instead; undefined where it is */
  async ready(limitMs: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      const done = (answer: string | undefined): void => {
        clearTimeout(timer);
        this.#stream.off('data', hear).off('close', closed).off('end', closed);
        // Nothing more comes, since all output goes into the log.
        this.#stream.resume();
        resolve(answer);
      };
      const closed = (): void => done(this.#said);
      const timer = setTimeout(() => done(`it was not ready within ${limitMs / 1_000} s`), limitMs);
      const hear = (part: Buffer): void => {
        this.#read(part);
        if (this.#said === READY) done(undefined);
      };
      this.#stream.on('data', hear).on('close', closed).on('end', closed);
    });
  }

  /** Sends what the first step reads. */
  write(head: Buffer): void {
    this.#stream.write(head);
  }

  /** Has the first step, which is ready, become the command. */
  go(): void {
    this.#stream.write('\n');
  }

  /** Writes the last of it. */
  end(text = ''): void {
    this.#stream.end(text);
  }

  /** Does not keep the server from ending. */
  unref(): void {
    (this.#stream as Partial<{ unref(): void }>).unref?.();
  }

  #read(part: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, part]);
    while (this.#bytes.length >= HEADER) {
      const end = HEADER + this.#bytes.readUInt32BE(4);
      if (this.#bytes.length < end) return;
      this.#said = (this.#said + this.#bytes.toString('utf8', HEADER, end)).slice(-MOST);
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}
