import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Refusal } from '../../src/errors.js';
import { unpack, type ArchiveLimits } from '../../src/web/upload/archive.js';
import { tarGzip, tarOf, zip, type Entry, type TarEntry } from '../unit/web/upload/archives.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'archive-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** What is unpacked: path and content; a "+x" behind what may be run. */
async function contents(archive: Buffer, limits?: Partial<ArchiveLimits>): Promise<Record<string, string>> {
  const file = join(folder, 'archive');
  await writeFile(file, archive);
  const staged = await unpack(file, join(folder, 'unpacked'), limits);
  const found = await Promise.all(
    staged.map(
      async (each) => [each.path + (each.executable === true ? '+x' : ''), await readFile(each.file, 'utf8')] as const,
    ),
  );
  return Object.fromEntries(found);
}

/** What an archive is refused with; nothing may be left of it. */
async function refusal(archive: Buffer, limits?: Partial<ArchiveLimits>): Promise<Refusal> {
  const error: unknown = await contents(archive, limits).then(
    (found) => new Error(`it was unpacked: ${Object.keys(found).join(', ')}`),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Refusal);
  expect(await readdir(folder)).toEqual(['archive']);
  expect((error as Refusal).field).toBe('archive');
  return error as Refusal;
}

const project: Entry[] = [
  { name: 'shop/', mode: 0o040755 },
  { name: 'shop/app.py', content: 'import streamlit' },
  { name: 'shop/pages/1_Überblick 📈.py', content: 'x = "é"' },
  { name: 'shop/run.sh', content: '#!/bin/sh', mode: 0o100755 },
  { name: 'shop/.git/config', content: 'no' },
  { name: 'shop/venv/bin/python', content: '/usr/bin/python3', mode: 0o120777 },
  { name: 'shop/pages/__pycache__/a.pyc', content: 'no' },
  { name: '__MACOSX/shop/._app.py', content: 'no' },
  { name: 'shop/.DS_Store', content: 'no' },
];
const wanted = { 'app.py': 'import streamlit', 'pages/1_Überblick 📈.py': 'x = "é"', 'run.sh+x': '#!/bin/sh' };

function asTar(entries: Entry[]): TarEntry[] {
  return entries.map(({ name, content, mode = 0o100644 }) => {
    const type = { 0o040000: 'directory', 0o120000: 'symlink' }[mode & 0o170000];
    const link = type === 'symlink' ? { linkname: String(content) } : {};
    return {
      name,
      mode: mode & 0o777,
      ...(type === undefined ? { content: content ?? '' } : { type: type as 'symlink' }),
      ...link,
    };
  });
}

describe('a project is unpacked without its top folder and without files that do not belong to it', () => {
  test('from a zip', async () => expect(await contents(zip(project))).toEqual(wanted));
  test('from a tar.gz', async () => expect(await contents(await tarGzip(asTar(project)))).toEqual(wanted));
  test('from a tar', async () => expect(await contents(await tarOf(asTar(project)))).toEqual(wanted));
  test('from a tar with "." as its root', async () => {
    const entries = [
      { name: './', type: 'directory' as const },
      { name: './app.py', content: 'x' },
      { name: './pages/a.py', content: 'y' },
    ];
    expect(await contents(await tarGzip(entries))).toEqual({ 'app.py': 'x', 'pages/a.py': 'y' });
  });
});

test('files are stored where nobody else can read them, under names that the archive does not choose', async () => {
  await contents(zip(project));
  expect((await stat(join(folder, 'unpacked'))).mode & 0o777).toBe(0o700);
  expect((await readdir(join(folder, 'unpacked'))).sort()).toEqual(['0', '1', '2']);
  expect((await stat(join(folder, 'unpacked', '0'))).mode & 0o777).toBe(0o600);
});

test('paths of more than a hundred bytes are kept in full', async () => {
  const name = `${'folder/'.repeat(30)}app.py`;
  expect(
    Object.keys(
      await contents(
        await tarGzip([
          { name, content: '' },
          { name: 'app.py', content: '' },
        ]),
      ),
    ),
  ).toEqual([name, 'app.py']);
});

describe('an archive is refused and nothing is written', () => {
  const good = { name: 'app.py', content: 'x' };

  test.each([
    '../evil.py',
    'a/../../evil.py',
    '/etc/evil',
    '..\\evil.py',
    'C:\\evil.py',
    'C:evil.py',
    'a\0b',
    'venv/../../evil',
  ])('if it has the path %j', async (name) => {
    expect((await refusal(zip([good, { name, content: 'evil' }]))).code).toBe('path-unsafe');
    // A NUL ends a name in a tar, so there it cannot be part of one.
    if (!name.includes('\0'))
      expect((await refusal(await tarGzip([good, { name, content: 'evil' }]))).code).toBe('path-unsafe');
  });

  test('if it has a link, which is named', async () => {
    const link = await refusal(zip([good, { name: 'data', content: '/etc', mode: 0o120777 }]));
    expect(link.code).toBe('archive-link');
    expect(link.message).toContain('"data"');
    for (const type of ['symlink', 'link'] as const) {
      expect((await refusal(await tarGzip([good, { name: 'data', type, linkname: 'app.py' }]))).code).toBe(
        'archive-link',
      );
    }
  });

  test('if it has a device or a pipe', async () => {
    for (const type of ['character-device', 'block-device', 'fifo'] as const) {
      expect((await refusal(await tarGzip([good, { name: 'dev', type }]))).code).toBe('archive-special-file');
    }
    expect((await refusal(zip([good, { name: 'pipe', mode: 0o010644 }]))).code).toBe('archive-special-file');
  });

  test('if it has a file twice, or a path that is both a file and a folder', async () => {
    expect((await refusal(zip([good, good]))).code).toBe('path-twice');
    expect((await refusal(zip([good, { name: './app.py' }]))).code).toBe('path-twice');
    expect((await refusal(zip([good, { name: 'app.py/x' }]))).code).toBe('path-twice');
  });

  test('if it has too many entries, including those that are skipped', async () => {
    const many = Array.from({ length: 11 }, (_, i) => ({ name: `.git/${i}`, content: '' }));
    expect((await refusal(zip([good, ...many]), { entries: 10 })).code).toBe('archive-too-many-files');
    expect((await refusal(await tarGzip([good, ...many]), { entries: 10 })).code).toBe('archive-too-many-files');
  });

  test('if it unpacks to too much', async () => {
    const content = randomBytes(10_000);
    for (const archive of [zip([good, { name: 'big', content }]), await tarGzip([good, { name: 'big', content }])]) {
      expect(await refusal(archive, { bytes: 9_000 })).toMatchObject({ code: 'archive-too-large', status: 413 });
    }
  });

  test('if it is a bomb, even in a skipped entry', async () => {
    const limits = { ratioFrom: 500_000 };
    const content = Buffer.alloc(1_000_000);
    expect((await refusal(zip([good, { name: 'zeros', content }]), limits)).code).toBe('archive-bomb');
    expect((await refusal(await tarGzip([good, { name: '.git/zeros', content }]), limits)).code).toBe('archive-bomb');
  });

  test('if it lies about the size of a file', async () => {
    const honest = zip([good, { name: 'zeros', content: Buffer.alloc(100_000) }]);
    const central = honest.indexOf(
      Buffer.from('PK\x01\x02', 'latin1'),
      honest.lastIndexOf('PK\x01\x02', -1, 'latin1') - 1,
    );
    honest.writeUInt32LE(10, central + 24);
    expect((await refusal(honest)).code).toBe('archive-broken');
  });

  test('if it has no app files', async () => {
    expect((await refusal(zip([]))).code).toBe('archive-empty');
    expect((await refusal(zip([{ name: '.git/config', content: 'x' }]))).code).toBe('archive-empty');
  });

  test('if it is encrypted', async () => {
    expect((await refusal(zip([good, { name: 'secret', content: 'x', encrypted: true }]))).code).toBe(
      'archive-encrypted',
    );
  });

  test('if it is truncated', async () => {
    const content = randomBytes(50_000);
    expect((await refusal(zip([good, { name: 'big', content }]).subarray(0, 30_000))).code).toBe('archive-broken');
    expect((await refusal((await tarGzip([good, { name: 'big', content }])).subarray(0, 30_000))).code).toBe(
      'archive-broken',
    );
    expect((await refusal(gzipSync((await tarOf([good, { name: 'big', content }])).subarray(0, 30_000)))).code).toBe(
      'archive-broken',
    );
  });

  test('if it has another format', async () => {
    for (const bytes of [
      Buffer.from('7z\xbc\xaf\x27\x1c', 'latin1'),
      Buffer.from('Rar!'),
      Buffer.alloc(0),
      randomBytes(600).fill(0, 0, 4),
    ]) {
      expect((await refusal(bytes)).code).toBe('archive-unknown');
    }
  });
});

test('any bytes are either unpacked as an archive or refused, and a refusal leaves nothing', async () => {
  const seeds = [zip(project), await tarGzip(asTar(project)), await tarOf(asTar(project))];
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...seeds), changes, async (seed, edits) => {
      const bytes = Buffer.from(seed);
      for (const [place, value] of edits) bytes[place % bytes.length] = value;
      const file = join(folder, 'archive');
      await writeFile(file, bytes);
      const into = join(folder, 'unpacked');
      try {
        const staged = await unpack(file, into);
        for (const each of staged) expect(each.file.startsWith(`${into}/`)).toBe(true);
        await rm(into, { recursive: true });
      } catch (error) {
        expect(error).toBeInstanceOf(Refusal);
      }
      expect(await readdir(folder)).toEqual(['archive']);
    }),
    { numRuns: 300 },
  );
}, 30_000);
