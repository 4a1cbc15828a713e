import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { search } from '../../../src/logs/search.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'search-'));
  file = join(folder, 'run.log');
});
afterEach(() => rm(folder, { recursive: true }));

it('search finds text in any case, newest line first', async () => {
  await writeFile(file, 'Error one\nfine\nan ERROR two\nÉlan\n');
  expect(await search(file, 'error', { limit: 10 })).toEqual({
    matches: [
      { offset: 15, line: 'an ERROR two' },
      { offset: 0, line: 'Error one' },
    ],
    complete: true,
    next: 0,
  });
  expect((await search(file, 'éLAN', { limit: 10 })).matches.map(({ line }) => line)).toEqual(['Élan']);
});

it('search does not treat characters as a pattern', async () => {
  await writeFile(file, 'a.b\naxb\n(a[b\n');
  expect((await search(file, 'a.b', { limit: 10 })).matches.map(({ line }) => line)).toEqual(['a.b']);
  expect((await search(file, '(a[', { limit: 10 })).matches.map(({ line }) => line)).toEqual(['(a[b']);
});

it('search resumes where it stopped, without gaps and duplicates', async () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}${index % 7 === 0 ? ' needle' : ''}`);
  await writeFile(file, `${lines.join('\n')}\n`);
  const found: string[] = [];
  let before: number | undefined;
  for (let complete = false; !complete;) {
    const page = await search(file, 'NEEDLE', before === undefined ? { limit: 100 } : { limit: 100, before });
    expect(page.matches.length).toBeLessThanOrEqual(100);
    found.push(...page.matches.map(({ line }) => line));
    ({ complete, next: before } = page);
  }
  expect(found.reverse()).toEqual(lines.filter((line) => line.endsWith('needle')));
});

it('search does not match or reveal masked text, and finds the text after it', async () => {
  await writeFile(file, 'my word\nthe password\nthe password\n');
  const hide = (line: string): string => line.replaceAll('password', '••••');
  expect(await search(file, 'pass', { limit: 1, hide })).toEqual({ matches: [], complete: true, next: 0 });
  expect((await search(file, 'word', { limit: 1, hide })).matches).toEqual([{ offset: 0, line: 'my word' }]);
});

it('search stops when its time is up, and says so', async () => {
  await writeFile(file, `${'x'.repeat(99)}\n`.repeat(20_000));
  const found = await search(file, 'absent', { limit: 1, timeoutMs: 0 });
  expect(found).toMatchObject({ matches: [], complete: false });
  expect(found.next).toBeGreaterThan(1_000_000);
});

it('search finds nothing in a missing file', async () => {
  expect(await search(file, 'x', { limit: 1 })).toEqual({ matches: [], complete: true, next: 0 });
});
