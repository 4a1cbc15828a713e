import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname, extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { contentType } from '../lib/mime.js';
import type { Frontend } from './frontend.js';

const compress = promisify(brotliCompress);

/** Most of the gain for a tenth of the time that the best level takes. */
const QUALITY = 6;

/** The kinds of files that Streamlit's frontend is made of; nothing else is served. */
const SERVED = /^\.(js|css|json|map|svg|wasm|ttf|woff2?|png|ico)$/;
const COMPRESSIBLE = /^\.(js|css|json|map|svg|wasm|ttf)$/;

/**
 * Streamlit's own files, served without asking Python: once compressed they are kept, and every app with the same
 * Streamlit has the same address for them.
 */
export class StaticFiles {
  readonly #cache: string;
  readonly #making = new Map<string, Promise<string>>();

  /** @param cache the folder for compressed copies */
  constructor(cache: string) {
    this.#cache = cache;
  }

  /**
   * Answers a request for one file.
   * @param file its path in the frontend's folder, such as `static/js/index.abc.js`
   */
  async answer(request: IncomingMessage, response: ServerResponse, frontend: Frontend, file: string): Promise<void> {
    const type = SERVED.test(extname(file)) ? contentType(file) : undefined;
    const path = type === undefined ? undefined : await within(frontend.folder, file);
    if (path === undefined || type === undefined) {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found.\n');
      return;
    }
    const brotli = COMPRESSIBLE.test(extname(file)) && acceptsBrotli(request);
    const from = brotli ? await this.#compressed(frontend, file, path) : path;
    const { size } = await stat(from);
    response.writeHead(200, {
      'content-type': type,
      'content-length': size,
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      // The page asks for its modules and fonts with crossorigin.
      'access-control-allow-origin': '*',
      ...(COMPRESSIBLE.test(extname(file)) ? { vary: 'accept-encoding' } : {}),
      ...(brotli ? { 'content-encoding': 'br' } : {}),
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    await pipeline(createReadStream(from), response);
  }

  async #compressed(frontend: Frontend, file: string, path: string): Promise<string> {
    const copy = join(this.#cache, frontend.key, `${file}.br`);
    const known = await stat(copy).catch(() => undefined); // Not made yet.
    if (known !== undefined) return copy;
    let making = this.#making.get(copy);
    if (making === undefined) {
      making = make(path, copy).finally(() => this.#making.delete(copy));
      this.#making.set(copy, making);
    }
    return making;
  }
}

async function make(path: string, copy: string): Promise<string> {
  const bytes = await readFile(path);
  const small = await compress(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  await mkdir(dirname(copy), { recursive: true });
  const draft = `${copy}.${randomUUID()}`;
  try {
    await writeFile(draft, small);
    await rename(draft, copy);
  } finally {
    await rm(draft, { force: true });
  }
  return copy;
}

/** The real path of a file that is really below the folder. */
async function within(folder: string, file: string): Promise<string | undefined> {
  if (file.split('/').includes('..')) return undefined;
  try {
    const [root, path] = await Promise.all([realpath(folder), realpath(join(folder, file))]);
    return path.startsWith(root + sep) ? path : undefined;
  } catch {
    return undefined; // There is no such file.
  }
}

function acceptsBrotli(request: IncomingMessage): boolean {
  const offers = String(request.headers['accept-encoding'] ?? '')
    .split(',')
    .map((offer) => offer.replace(/\s/g, ''));
  return offers.some(
    (offer) => offer === 'br' || (offer.startsWith('br;q=') && Number(offer.slice('br;q='.length)) > 0),
  );
}
