import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../helpers/host.js';

// The program as scripts/build.js makes it, of which set-up keeps a copy up to date.

const dist = join(ROOT, 'dist');

/** What files of the program bring along when they are loaded, by their paths in dist. */
async function loadedWith(entries: string[]): Promise<string[]> {
  const found = new Set(entries.map((entry) => join(dist, entry)));
  // What is added while this goes on is visited too.
  for (const file of found) {
    const text = await readFile(file, 'utf8');
    for (const [, path = ''] of text.matchAll(/^(?:import|export)\b[^;'"]*?["'](\.[^"']+)["']/gm))
      found.add(join(dirname(file), path));
  }
  return [...found].map((file) => relative(dist, file));
}

test('the server starts without the libraries that only some requests need', async () => {
  const loaded = await loadedWith(['main.js', 'parts/run.js']);
  expect(loaded).toEqual(expect.arrayContaining(['parts/bullmq.js', 'parts/koa.js', 'parts/zod.js']));
  const late = [
    '@asteasolutions-zod-to-openapi',
    '@koa-bodyparser',
    '@koa-multer',
    'any-ascii',
    'iconv-lite',
    'multer',
  ];
  const all = await readdir(join(dist, 'parts'));
  for (const name of [...late, 'nodemailer', 'tar-stream', 'ws', 'yauzl']) {
    expect(all).toContain(`${name}.js`);
    expect(loaded).not.toContain(`parts/${name}.js`);
  }
});

test('of BullMQ, only what works with Redis is in the program', async () => {
  const text = await readFile(join(dist, 'parts/bullmq.js'), 'utf8');
  expect(text).toContain('moveToActive');
  expect(text).not.toMatch(/PostgreSQL backend/);
});

test('the types of files are in the program once', async () => {
  const loaded = await loadedWith(['main.js', 'parts/run.js']);
  const texts = await Promise.all(loaded.map((file) => readFile(join(dist, file), 'utf8')));
  expect(texts.filter((text) => text.includes('application/vnd.oasis.opendocument.text"'))).toHaveLength(1);
});
