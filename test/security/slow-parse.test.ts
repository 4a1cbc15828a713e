import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ThreadReader } from '../../src/deploys/reader.js';
import { ROOT, startHost, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

// Projects that take long to read, though every file is within its limit: nobody else may wait for them.

/** 64 kB of YAML that warn of themselves, line by line: the slowest that may be sent. */
const YAML = '%\n'.repeat(32 * 1024);

/** A lock file of about so many bytes. */
function lockOf(bytes: number): string {
  const lines = [];
  for (let size = 0; size < bytes; size += (lines.at(-1) ?? '').length + 1) {
    lines.push(`[[package]]\nname="a${lines.length}"\nversion="1"`);
  }
  return lines.join('\n');
}

const SLOW: Record<string, Record<string, string>> = {
  'environment.yml': { 'environment.yml': YAML },
  'uv.lock': { 'uv.lock': lockOf(15_000_000), 'pyproject.toml': '[project]\ndependencies = ["streamlit"]\n' },
};

const file = join(ROOT, 'dist/deploys/reader-worker.cjs');
const limits = { workMs: 5_000, startMs: 30_000, memoryMb: 256 };

/** How long it takes to read a project, in ms, as busy as the machine is now. */
async function timeToRead(files: Record<string, string>): Promise<number> {
  const buffers = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
  const reader = new ThreadReader({ file, limits: { ...limits, workMs: 60_000 }, logger: { warn: () => undefined } });
  try {
    await reader.begin();
    const begun = performance.now();
    await expect(reader.read('x', 'dependencies', buffers, {}, [''])).rejects.toThrow();
    return performance.now() - begun;
  } finally {
    await reader.close();
  }
}

describe('a live app', () => {
  let host: TestHost;

  beforeAll(async () => {
    host = await startHost();
    await pushLive(await Project.create(textApp('text:live')), host, 'live');
  });

  /** How long the app's health takes through the gateway, in ms. */
  async function health(): Promise<number> {
    const begun = performance.now();
    const answer = await fetch(`${host.url}/apps/live/_stcore/health`);
    expect(await answer.text()).toBe('ok');
    return performance.now() - begun;
  }

  test.each([
    ['environment.yml', 'after-yaml'],
    ['uv.lock', 'after-lock'],
  ])('keeps answering while a push with a slow %s is parsed and refused', async (slow, next) => {
    const idle = [];
    for (let at = 0; at < 30; at += 1) idle.push(await health());
    const median = idle.sort((a, b) => a - b)[15] ?? 0;
    // Whoever waited for the parser would wait for all of this.
    const parsing = await timeToRead(SLOW[slow] ?? {});

    const project = await Project.create({ 'app.py': 'import streamlit\n', ...SLOW[slow] });
    const pushed = project.git('push', host.remote('slow'), 'main').finally(() => (over = true));
    let over = false;
    let worst = 0;
    while (!over) {
      worst = Math.max(worst, await health());
      await new Promise((done) => setTimeout(done, 10));
    }
    expect(await pushed).toMatchObject({ code: 1, output: expect.stringContaining('rejected') as string });
    expect(worst).toBeLessThan(Math.max(10 * median, 0.8 * parsing));

    await pushLive(await Project.create(textApp('text:next')), host, next);
  });
});

describe('the reader thread', () => {
  const lock = { 'pyproject.toml': '[project]\ndependencies = ["streamlit"]\n', 'uv.lock': lockOf(15_000_000) };
  const slow = new Map(Object.entries(lock).map(([path, text]) => [path, Buffer.from(text)]));
  let reader: ThreadReader;
  afterEach(() => reader.close());

  function readerWith(changes: Partial<typeof limits> = {}): ThreadReader {
    return (reader = new ThreadReader({ file, limits: { ...limits, ...changes }, logger: { warn: () => undefined } }));
  }

  test.each([
    ['time', { workMs: 100 }, 'Commit 1a2b3c4 could not be read within 0.1 s.'],
    ['memory', { workMs: 60_000, memoryMb: 16 }, 'Commit 1a2b3c4 could not be read with 16 MiB of memory.'],
  ])('refuses a project that needs too much %s, and reads the next one', async (_, changes, sentence) => {
    readerWith(changes);
    const read = reader.read('Commit 1a2b3c4', 'dependencies', slow, {}, ['']);
    await expect(read).rejects.toMatchObject({ name: 'Refusal', kind: 'invalid', code: 'project-unreadable' });
    await expect(read).rejects.toThrow(sentence);
    expect(await reader.read('x', 'settings', Buffer.from('main = "app.py"'))).toEqual({ main: 'app.py' });
  });

  test('passes on the refusals of its parsers unchanged', async () => {
    const read = readerWith().read('x', 'settings', Buffer.from('bogus = 1'));
    await expect(read).rejects.toMatchObject({ name: 'Refusal', kind: 'invalid', code: 'app-file-invalid' });
    await expect(reader.read('x', 'blobsOf', Buffer.from('no tree'), {})).rejects.toThrow('not a line of git ls-tree');
  });

  test('refuses for now if it cannot start', async () => {
    reader = new ThreadReader({ file: join(ROOT, 'dist/missing.cjs'), limits, logger: { warn: () => undefined } });
    await reader.begin();
    const read = reader.read('x', 'settings', Buffer.from(''));
    await expect(read).rejects.toMatchObject({ kind: 'unavailable', code: 'reader-unavailable' });
  });
});
