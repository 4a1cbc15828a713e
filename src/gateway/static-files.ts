import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { ensureFolder } from '../lib/ensure-folder.js';
import { contentType } from '../lib/mime.js';
import type { Frontend } from './frontend.js';
import { hashOf, readFrontendFile } from './frontend-keys.js';

const compress = promisify(brotliCompress);

/** Most of the gain for a tenth of the time that the best level takes. */
const QUALITY = 6;

/** The kinds of files that Streamlit's frontend is made of; nothing else is served. */
const SERVED = /^\.(js|css|json|map|svg|wasm|ttf|woff2?|png|ico)$/;
const COMPRESSIBLE = /^\.(js|css|json|map|svg|wasm|ttf)$/;

/**
 * Streamlit's own files, served without asking Python: every app with the same Streamlit has the same address for them. An
 * app may own the folder that they lie in, so each file is compared with its hash, and served from a copy made of what was
 * compared.
 */
export class StaticFiles {
  readonly #cache: string;
  readonly #making = new Map<string, Promise<boolean>>();

  /** @param cache the folder for the copies */
  constructor(cache: string) {
    this.#cache = cache;
  }

  /**
   * Answers a request for one file.
   * @param file its path in the frontend's folder, such as `static/js/index.abc.js`
   * @returns false where the file is not what the frontend's key was made of: then nothing is answered
   */
  async answer(request: IncomingMessage, response: ServerResponse, frontend: Frontend, file: string): Promise<boolean> {
    const type = SERVED.test(extname(file)) ? contentType(file) : undefined;
    const hash = frontend.hashes.get(file);
    if (hash === undefined || type === undefined) {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found.\n');
      return true;
    }
    const compressible = COMPRESSIBLE.test(extname(file));
    const brotli = compressible && acceptsBrotli(request);
    const copy = join(this.#cache, frontend.key, brotli ? `${file}.br` : file);
    if (!(await this.#has(copy, frontend, file, hash, brotli))) return false;
    const { size } = await stat(copy);
    response.writeHead(200, {
      'content-type': type,
      'content-length': size,
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      // The page asks for its modules and fonts with crossorigin.
      'access-control-allow-origin': '*',
      ...(compressible ? { vary: 'accept-encoding' } : {}),
      ...(brotli ? { 'content-encoding': 'br' } : {}),
    });
    if (request.method === 'HEAD') response.end();
    else await pipeline(createReadStream(copy), response);
    return true;
  }

  /** Makes a copy where there is none. @returns false where the file is another one by now */
  async #has(copy: string, { folder }: Frontend, file: string, hash: string, brotli: boolean): Promise<boolean> {
    if ((await stat(copy).catch(() => undefined)) !== undefined) return true;
    // By its folder, too: what another app has exchanged says nothing of this one.
    const name = `${folder}\0${copy}`;
    let making = this.#making.get(name);
    if (making === undefined) {
      making = make(copy, { folder, file, hash, brotli }).finally(() => this.#making.delete(name));
      this.#making.set(name, making);
    }
    return making;
  }
}

async function make(
  copy: string,
  { folder, file, hash, brotli }: { folder: string; file: string; hash: string; brotli: boolean },
): Promise<boolean> {
  const bytes = await readFrontendFile(folder, file);
  if (bytes === undefined || hashOf(bytes) !== hash) return false;
  const params = { [constants.BROTLI_PARAM_QUALITY]: QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const served = brotli ? await compress(bytes, { params }) : bytes;
  await ensureFolder(dirname(copy));
  const draft = `${copy}.${randomUUID()}`;
  try {
    await writeFile(draft, served);
    await rename(draft, copy);
  } finally {
    await rm(draft, { force: true });
  }
  return true;
}

function acceptsBrotli(request: IncomingMessage): boolean {
  const offers = String(request.headers['accept-encoding'] ?? '')
    .split(',')
    .map((offer) => offer.replace(/\s/g, ''));
  return offers.some(
    (offer) => offer === 'br' || (offer.startsWith('br;q=') && Number(offer.slice('br;q='.length)) > 0),
  );
}
