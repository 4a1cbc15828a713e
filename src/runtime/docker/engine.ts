import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { hasCode, messageOf, Refusal } from '../../errors.js';

/** The API of Docker 20.10, the oldest that has all that is used (https://docs.docker.com/reference/api/engine/version-history/). */
const API = '1.41';
/** How long Docker may take to answer, in ms; to begin or end a container takes it longest. */
const LIMIT_MS = 60_000;
/** How long it may take to say its version, in ms. */
const VERSION_MS = 5_000;

/** The label that holds the mark of an instance, and the one that tells its data folder from others. */
export const LABELS = {
  mark: 'streamlit-host.mark',
  data: 'streamlit-host.data',
  /** Of what runs no app, but has machines pull an image. */
  pull: 'streamlit-host.pull',
} as const;

const versionSchema = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string().optional(),
});
const createdSchema = z.object({ Id: z.string() });
const waitedSchema = z.object({ StatusCode: z.number() });
const listSchema = z.array(z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()).nullable() }));
const inspectSchema = z.object({
  Id: z.string(),
  State: z.object({ Running: z.boolean(), Pid: z.number(), ExitCode: z.number(), OOMKilled: z.boolean() }),
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullable() }),
  HostConfig: z.object({
    Memory: z.number(),
    NanoCpus: z.number(),
    PidsLimit: z.number().nullable(),
  }),
});

/** What Docker answers, by what it was asked for. */
export const answers = {
  version: versionSchema,
  created: createdSchema,
  waited: waitedSchema,
  list: listSchema,
  inspected: inspectSchema,
};

/** What Docker knows of a container. */
export type ContainerFacts = z.infer<typeof inspectSchema>;

/** Docker refused something. */
export class EngineError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
  }
}

/** What Docker is asked for. */
export interface Call {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** JSON, or a tar archive. */
  body?: object | Buffer;
  /** How long it may take, in ms; 60 s unless given, 0 = forever. */
  limitMs?: number;
  signal?: AbortSignal | undefined;
}

/** Docker's engine on this machine, asked over its socket (https://docs.docker.com/reference/api/engine/). */
export class Engine {
  readonly socket: string;
  /** Docker's version, such as `20.10.24`. */
  version = '';
  #api = API;

  /** @param socket its path */
  constructor(socket: string) {
    this.socket = socket;
  }

  /** Looks which version it has. @throws Refusal `docker-unavailable` */
  async greet(): Promise<void> {
    const facts = await this.ask(versionSchema, { method: 'GET', path: '/version', limitMs: VERSION_MS }, '');
    this.version = facts.Version;
    if (compare(facts.ApiVersion, API) < 0)
      throw unavailable(`Docker ${facts.Version} at ${this.socket} is too old. Install Docker 20.10 or later.`);
    const least = facts.MinAPIVersion ?? API;
    this.#api = compare(least, API) > 0 ? least : API;
  }

  /** @returns its id */
  async create(name: string, body: object): Promise<string> {
    return (await this.ask(createdSchema, { method: 'POST', path: '/containers/create', query: { name }, body })).Id;
  }

  async start(id: string): Promise<void> {
    await this.send({ method: 'POST', path: `/containers/${id}/start` });
  }

  /** @returns undefined where there is none by this name or id */
  async inspect(id: string): Promise<ContainerFacts | undefined> {
    return unlessMissing(this.ask(inspectSchema, { method: 'GET', path: `/containers/${id}/json` }));
  }

  /** The containers with a mark, by their marks, whether they run or not. */
  async marked(): Promise<Map<string, string>> {
    const query = { all: '1', filters: JSON.stringify({ label: [LABELS.mark] }) };
    const found = await this.ask(listSchema, { method: 'GET', path: '/containers/json', query });
    return new Map(found.map((one) => [one.Labels?.[LABELS.mark] ?? '', one.Id]));
  }

  /** Waits until it runs no more. @returns its exit code @throws Error where Docker ends first */
  async wait(id: string, signal: AbortSignal): Promise<number> {
    const call: Call = { method: 'POST', path: `/containers/${id}/wait`, limitMs: 0, signal };
    return (await this.ask(waitedSchema, call)).StatusCode;
  }

  /** Does nothing where it runs no more. */
  async kill(id: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    // 409: it does not run.
    await unlessMissing(this.send({ method: 'POST', path: `/containers/${id}/kill`, query: { signal } }), 409);
  }

  /** Ends and removes it with all that it has started. Does nothing where there is none. */
  async remove(id: string): Promise<void> {
    // 409: it is being removed.
    await unlessMissing(this.send({ method: 'DELETE', path: `/containers/${id}`, query: { force: '1', v: '1' } }), 409);
  }

  async hasNetwork(name: string): Promise<boolean> {
    return (await unlessMissing(this.send({ method: 'GET', path: `/networks/${name}` }))) !== undefined;
  }

  async update(id: string, resources: object): Promise<void> {
    await this.send({ method: 'POST', path: `/containers/${id}/update`, body: resources });
  }

  /** Makes an image of an archive. */
  async import(repo: string, tag: string, archive: Buffer): Promise<void> {
    await this.send({ method: 'POST', path: '/images/create', query: { fromSrc: '-', repo, tag }, body: archive });
  }

  /** Its stdin, stdout and stderr, where it has not been started yet; the latter in frames (`Frames`). */
  async attach(id: string): Promise<Duplex> {
    const query = { stream: '1', stdin: '1', stdout: '1', stderr: '1' };
    const asked = this.#request({ method: 'POST', path: `/containers/${id}/attach`, query }, this.#api, {
      connection: 'Upgrade',
      upgrade: 'tcp',
    });
    return this.#within(LIMIT_MS, asked, async () => {
      const upgraded = once(asked, 'upgrade') as Promise<[IncomingMessage, Duplex, Buffer]>;
      const refused = once(asked, 'response').then(async ([answer]: unknown[]): Promise<never> => {
        throw await failureOf(answer as IncomingMessage);
      });
      // Only one of the two happens, or neither.
      refused.catch(() => undefined);
      asked.end();
      const [, stream, head] = await Promise.race([upgraded, refused]);
      if (head.length > 0) stream.unshift(head);
      return stream;
    });
  }

  /** Asks for something that is described. @throws EngineError where it is refused */
  async ask<T>(schema: z.ZodType<T>, call: Call, api = this.#api): Promise<T> {
    return parseAnswer(schema, await this.send(call, api), this.socket);
  }

  /** @returns the text of the answer @throws EngineError where it is refused */
  async send(call: Call, api = this.#api): Promise<string> {
    const { body, signal, limitMs = LIMIT_MS } = call;
    const kind = Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json';
    const headers = { ...call.headers, ...(body !== undefined && { 'content-type': kind }) };
    const asked = this.#request(call, api, headers, signal);
    return this.#within(limitMs, asked, async () => {
      const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
      asked.end(body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body));
      const [answer] = await answered;
      if ((answer.statusCode ?? 500) >= 300) throw await failureOf(answer);
      return textOf(answer);
    });
  }

  #request(
    { method, path, query }: Call,
    api: string,
    headers: Record<string, string>,
    signal?: AbortSignal,
  ): ClientRequest {
    const asked = request({
      socketPath: this.socket,
      method,
      path: `${api === '' ? '' : `/v${api}`}${path}${query ? `?${new URLSearchParams(query).toString()}` : ''}`,
      headers: { host: 'docker', ...headers },
      agent: false,
      ...(signal && { signal }),
    });
    // Each is awaited by `once`, but it may fail again when that is over.
    asked.on('error', () => undefined);
    return asked;
  }

  async #within<T>(limitMs: number, asked: ClientRequest, work: () => Promise<T>): Promise<T> {
    const late = new Error(`it did not answer within ${limitMs / 1_000} s`);
    const timer = limitMs === 0 ? undefined : setTimeout(() => asked.destroy(late), limitMs);
    try {
      return await work();
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw this.#unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #unreachable(error: unknown): Refusal {
    if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM'))
      return unavailable(
        `The server may not use Docker's socket, ${this.socket}. Add its user to the group "docker", and start it again.`,
      );
    const why = hasCode(error, 'ENOENT') ? 'there is no such socket' : messageOf(error);
    return unavailable(
      `Docker does not answer at ${this.socket} (${why}). Start Docker, or name its socket with STREAMLIT_HOST_DOCKER_SOCKET.`,
    );
  }
}

/** Returns what an answer says. @param socket where it came from @throws Refusal `docker-unavailable` where Docker does not answer so */
export function parseAnswer<T>(schema: z.ZodType<T>, text: string, socket: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw unavailable(`What answers at ${socket} is not Docker. Set STREAMLIT_HOST_DOCKER_SOCKET.`);
  }
}

function unavailable(sentence: string): Refusal {
  return new Refusal('unavailable', 'docker-unavailable', sentence);
}

async function failureOf(answer: IncomingMessage): Promise<EngineError> {
  const text = await textOf(answer);
  let message = text.trim();
  try {
    message = z.object({ message: z.string() }).parse(JSON.parse(text)).message;
  } catch {
    // It says it in plain text.
  }
  return new EngineError(answer.statusCode ?? 500, message);
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

/** Returns undefined where there is no such thing. @param also another status that means that there is nothing to be done */
export async function unlessMissing<T>(work: Promise<T>, also?: number): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof EngineError && (error.status === 404 || error.status === also)) return undefined;
    throw error;
  }
}

/** Which of two API versions is the later one: below 0 if the second is. */
function compare(one: string, other: string): number {
  const [[major = 0, minor = 0], [otherMajor = 0, otherMinor = 0]] = [one, other].map((version) =>
    version.split('.').map(Number),
  ) as [number[], number[]];
  return major - otherMajor || minor - otherMinor;
}
