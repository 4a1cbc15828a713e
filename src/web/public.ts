import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import type { Context, Middleware } from 'koa';
import { contentType } from '../lib/mime.js';
import LIBRARIES from './libraries.json' with { type: 'json' };

/** Added to a library's file: uPlot's classic script is smaller than the module in its package. */
const ADDED: Record<string, string> = { 'uplot/uPlot.js': '\nexport default uPlot;\n' };

/** The kinds of files that are served; whatever else lies in the folder is not. */
const SERVED = /^\.(css|js|svg|png|ico|webmanifest)$/;

/** Bytes that are worth compressing; below it the headers weigh more than what is saved. */
const WORTH_COMPRESSING = 1_000;

/** The encodings that are made, the smallest first. Browsers name gzip first. */
const ENCODINGS = { br: promisify(brotliCompress), gzip: promisify(gzip) } as const;

type Encoding = keyof typeof ENCODINGS;

interface PublicFile {
  type: string;
  etag: string;
  plain: Buffer;
  /** In each encoding that somebody asked for; undefined where it is not worth any. */
  encoded: Map<Encoding, Promise<Buffer>> | undefined;
}

export interface PublicOptions {
  /** The folder of our own stylesheets, browser modules and icons. */
  folder: string;
  /** The folder of the packages that the browser's libraries are in, as npm or the build lays them out (`libraries.json`). */
  libraries: string;
}

/**
 * The platform's own static files, under `/_host/`. They are few and small, so they are read at construction, and compressed
 * when they are first asked for, since that would take longer than the rest of a start. One hash over all of them names the folder in the address: modules may import each other by relative
 * path, and what a browser has may stay there for ever.
 */
export class PublicFiles {
  /** The hash over all files, as it stands in their addresses. */
  readonly version: string;
  readonly #files = new Map<string, PublicFile>();

  constructor(options: PublicOptions) {
    for (const file of walk(options.folder)) {
      this.#add(relative(options.folder, file).split(sep).join('/'), file);
    }
    for (const [name, path] of Object.entries(LIBRARIES)) {
      this.#add(name, join(options.libraries, path), ADDED[name]);
    }
    const all = createHash('sha256');
    for (const [name, file] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1)))
      all.update(`${name} ${file.etag}\n`);
    this.version = all.digest('hex').slice(0, 12);
  }

  /**
   * The path of a file, below the public base.
   * @throws Error where there is no such file: that is a defect of the page that asks
   */
  path(name: string): string {
    if (!this.#files.has(name)) throw new Error(`there is no public file "${name}"`);
    return `/_host/${this.version}/${name}`;
  }

  /** The text of a file, for a page that brings it along. @throws Error where there is no such file */
  text(name: string): string {
    const file = this.#files.get(name);
    if (file === undefined) throw new Error(`there is no public file "${name}"`);
    return file.plain.toString();
  }

  /** Answers GET and HEAD below `/_host/`, and leaves every other request alone. */
  middleware(): Middleware {
    return async (ctx, next) => {
      if (!ctx.path.startsWith('/_host/')) {
        await next();
        return;
      }
      if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
        ctx.status = 405;
        ctx.set('Allow', 'GET, HEAD');
        return;
      }
      await this.#answer(ctx);
    };
  }

  async #answer(ctx: Context): Promise<void> {
    const [, version, name] = /^\/_host\/([^/]+)\/(.+)$/.exec(ctx.path) ?? [];
    const file = name === undefined ? undefined : this.#files.get(name);
    if (file === undefined) {
      ctx.status = 404;
      ctx.type = 'text/plain; charset=utf-8';
      ctx.body = 'File not found.\n';
      return;
    }
    // A page made before an upgrade still asks for the old folder: it gets today's file, but may not keep it.
    const current = version === this.version;
    ctx.set('Cache-Control', current ? 'public, max-age=31536000, immutable' : 'no-cache');
    ctx.set('X-Content-Type-Options', 'nosniff');
    ctx.set('Vary', 'Accept-Encoding');
    ctx.etag = file.etag;
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.set('Content-Type', file.type);
    for (const encoding of Object.keys(ENCODINGS) as Encoding[]) {
      // Asked one by one: what a browser names first is not the smallest.
      if (file.encoded === undefined || ctx.acceptsEncodings(encoding) !== encoding) continue;
      const encoded = file.encoded.get(encoding) ?? ENCODINGS[encoding](file.plain);
      file.encoded.set(encoding, encoded);
      ctx.set('Content-Encoding', encoding);
      ctx.body = await encoded;
      return;
    }
    ctx.body = file.plain;
  }

  /** @param end added to its content */
  #add(name: string, path: string, end = ''): void {
    const plain = Buffer.concat([readFileSync(path), Buffer.from(end)]);
    const type = SERVED.test(extname(name)) ? contentType(name) : undefined;
    if (type === undefined) return;
    const compress = plain.length >= WORTH_COMPRESSING && !type.startsWith('image/png');
    this.#files.set(name, {
      type,
      etag: createHash('sha256').update(plain).digest('hex').slice(0, 16),
      plain,
      encoded: compress ? new Map() : undefined,
    });
  }
}

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}
