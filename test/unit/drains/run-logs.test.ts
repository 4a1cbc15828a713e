import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newApp } from '../../../src/domain/app/app.js';
import { RunLogs } from '../../../src/drains/run-logs.js';
import { Paths } from '../../../src/store/paths.js';

let paths: Paths;
let warnings: object[];
let logs: RunLogs;
let found: string[];
const every = (): boolean => true;
const look = (): Promise<void> =>
  logs.look(every, (app, lines) => found.push(...lines.map(({ text }) => `${app} ${text}`)));

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'run-logs-')));
  [warnings, found] = [[], []];
  const apps = ['blog', 'shop'].map((id) => ({ ...newApp(id, id, new Date(0)), live: 1 }));
  for (const { id } of apps) await mkdir(dirname(paths.runLog(id, 1)), { recursive: true });
  logs = new RunLogs({
    ...{ paths, apps: { list: () => apps } },
    mask: () => Promise.resolve((text) => text),
    warn: (facts) => warnings.push(facts),
  });
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

it('a log that cannot be read is told once, and keeps nobody from the logs of other apps', async () => {
  logs.begin(every, {});
  // A folder can be opened, and not read.
  await mkdir(join(paths.runLog('blog', 1), 'full'), { recursive: true });
  for (const text of ['one', 'two']) {
    await writeFile(paths.runLog('shop', 1), `${text}\n`, { flag: 'a' });
    await look();
  }
  expect(found).toEqual(['shop one', 'shop two']);
  expect(warnings).toEqual([{ log: 'blog/1', error: expect.stringContaining('EISDIR') as string }]);

  await rm(paths.runLog('blog', 1), { recursive: true });
  await writeFile(paths.runLog('blog', 1), 'readable\n');
  await look();
  expect(found.at(-1)).toBe('blog readable');
});
