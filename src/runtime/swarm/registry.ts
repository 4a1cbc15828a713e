import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { messageOf } from '../../errors.js';
import { LayerError } from './layer.js';

/** How long a registry may take for an answer, in ms. */
const ANSWER_MS = 15_000;
/** How long it may take no more of what is sent, in ms. */
const STALL_MS = 60_000;
/** How much of a refusal is read, in bytes. */
const MAX_REFUSAL = 4_096;
/** Where Docker looks for the certificates of private registries (https://docs.docker.com/engine/security/certificates/). */
const CERTIFICATES = '/etc/docker/certs.d';
/** https://distribution.github.io/distribution/spec/manifest-v2-2/ */
const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/** A piece of an image, by its content. */
export interface Blob {
  digest: string;
  /** In bytes. */
  size: number;
}

/** Why a registry did not do what it was asked for, in a few words. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
}

/**
 * A repository of images in a registry, over HTTP (https://distribution.github.io/distribution/spec/api/). So an image goes there
 * straight from its files: Docker would unpack it on this machine first, and pack it again.
 */
export class Registry {
  /** How images of the repository are called, without tag or digest. */
  readonly name: string;
  readonly #host: string;
  readonly #path: string;
  readonly #secure: boolean;

  /**
   * @param place a host with a port, and folders: `registry.example.com:5000/apps`
   * @param secure whether it is reached over TLS
   */
  constructor(place: string, repository: string, secure: boolean) {
    const [host = '', ...folders] = place.split('/');
    this.name = [place, repository].join('/');
    this.#host = host;
    this.#path = `/v2/${[...folders, repository].join('/')}`;
    this.#secure = secure;
  }

  /** Whether it has a blob. @throws RegistryError */
  async has({ digest }: Pick<Blob, 'digest'>): Promise<boolean> {
    const { statusCode } = await this.#ask('HEAD', `${this.#path}/blobs/${digest}`, {}, [200, 404]);
    return statusCode === 200;
  }

  /** Puts a blob there, unless it is there. @throws RegistryError */
  async put(content: Buffer): Promise<Blob> {
    const blob = { digest: digestOf(content), size: content.length };
    if (await this.has(blob)) return blob;
    const at = await this.#begin();
    await this.#ask('PUT', finished(at, blob.digest), { 'content-type': 'application/octet-stream' }, [201], content);
    return blob;
  }

  /** Puts a blob there whose digest is only known at its end. @throws RegistryError, or what the content throws */
  async stream(content: AsyncIterable<Buffer>): Promise<Blob> {
    const asked = await this.#open('PATCH', await this.#begin(), { 'content-type': 'application/octet-stream' });
    asked.setTimeout(STALL_MS, () => asked.destroy(new Error(`it took nothing for ${STALL_MS / 1_000} s`)));
    const answered = once(asked, 'response').then(async ([answer]: unknown[]) => {
      const { statusCode } = answer as IncomingMessage;
      if (statusCode !== 202) throw await refusalIn(answer as IncomingMessage);
      return answer as IncomingMessage;
    });
    // It is awaited below; one that refuses may do so in the middle.
    answered.catch(() => undefined);
    const hash = createHash('sha256');
    let size = 0;
    try {
      for await (const part of content) {
        hash.update(part);
        size += part.length;
        if (!asked.write(part)) await Promise.race([once(asked, 'drain'), answered]);
      }
      asked.end();
      const answer = (await answered).resume();
      const digest = `sha256:${hash.digest('hex')}`;
      await this.#ask('PUT', finished(locationIn(answer), digest), {}, [201]);
      return { digest, size };
    } catch (error) {
      throw failureOf(error);
    } finally {
      asked.destroy();
    }
  }

  /** Makes an image of blobs that are there. @returns the digest by which machines get it @throws RegistryError */
  async tag(tag: string, manifest: object): Promise<string> {
    const body = Buffer.from(JSON.stringify(manifest));
    await this.#ask('PUT', `${this.#path}/manifests/${tag}`, { 'content-type': MANIFEST }, [201], body);
    return digestOf(body);
  }

  /** Forgets an image. @returns false where the registry does not delete anything @throws RegistryError */
  async forget(digest: string): Promise<boolean> {
    const { statusCode } = await this.#ask('DELETE', `${this.#path}/manifests/${digest}`, {}, [202, 404, 405]);
    return statusCode !== 405;
  }

  async #begin(): Promise<string> {
    return locationIn(await this.#ask('POST', `${this.#path}/blobs/uploads/`, {}, [202]));
  }

  async #ask(
    method: string,
    path: string,
    headers: Record<string, string>,
    wanted: readonly number[],
    body?: Buffer,
  ): Promise<IncomingMessage> {
    const asked = await this.#open(method, path, { ...headers, 'content-length': String(body?.length ?? 0) });
    const late = new Error(`it did not answer within ${ANSWER_MS / 1_000} s`);
    const timer = setTimeout(() => asked.destroy(late), ANSWER_MS);
    try {
      const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
      asked.end(body);
      const [answer] = await answered;
      if (!wanted.includes(answer.statusCode ?? 0)) throw await refusalIn(answer);
      answer.resume();
      return answer;
    } catch (error) {
      throw failureOf(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #open(method: string, path: string, headers: Record<string, string>): Promise<ClientRequest> {
    const options = { method, path, headers: { host: this.#host, ...headers }, agent: false };
    const { hostname, port } = new URL(`http://${this.#host}`);
    const host = hostname.replace(/^\[|\]$/g, '');
    const asked = this.#secure
      ? requestHttps({
          ...options,
          ...{ host, port: port || 443, ca: [...rootCertificates, ...(await certificatesOf(this.#host))] },
        })
      : requestHttp({ ...options, host, port: port || 80 });
    // Each is awaited by `once`, but it may fail again when that is over.
    return asked.on('error', () => undefined);
  }
}

/** Where an upload goes on: a path, since the registry may know itself by another name. */
function locationIn({ headers }: IncomingMessage): string {
  const { pathname, search } = new URL(headers.location ?? '', 'http://registry');
  return `${pathname}${search}`;
}

async function refusalIn(answer: IncomingMessage): Promise<RegistryError> {
  let text = '';
  for await (const part of answer) {
    text += String(part);
    if (text.length > MAX_REFUSAL) break;
  }
  return new RegistryError(`it answered ${answer.statusCode}${saidIn(text)}`);
}

/** Of what was sent, only the registry fails here; what is read fails in its own words. */
function failureOf(error: unknown): Error {
  if (error instanceof RegistryError || error instanceof LayerError) return error;
  return new RegistryError(messageOf(error), { cause: error });
}

/** What is told of an image: its configuration and its layers (https://distribution.github.io/distribution/spec/manifest-v2-2/). */
export function manifestOf(config: Blob, layers: readonly Blob[]): object {
  return {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...plain(config) },
    layers: layers.map((layer) => ({
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      ...plain(layer),
    })),
  };
}

function plain({ digest, size }: Blob): Blob {
  return { digest, size };
}

export function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

function finished(at: string, digest: string): string {
  return `${at}${at.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
}

/** What a registry says of a refusal (https://distribution.github.io/distribution/spec/api/#errors). */
function saidIn(text: string): string {
  try {
    const { errors } = JSON.parse(text) as { errors?: { message?: unknown }[] };
    const message = errors?.[0]?.message;
    return typeof message === 'string' ? `, ${message}` : '';
  } catch {
    return '';
  }
}

async function certificatesOf(host: string): Promise<string[]> {
  const folder = join(CERTIFICATES, host);
  const names = await readdir(folder).catch((): string[] => []); // It needs none of its own.
  return Promise.all(names.filter((name) => name.endsWith('.crt')).map((name) => readFile(join(folder, name), 'utf8')));
}
