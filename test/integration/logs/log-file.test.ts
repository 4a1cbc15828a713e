import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LogFile } from '../../../src/logs/log-file.js';
import { scratch } from '../../helpers/ends.js';

it('LogFile lets a child keep appending after a rotation, without a gap of zeros', async () => {
  const file = join(await scratch('log-'), 'run.log');
  const read = (path = file): Promise<string> => readFile(path, 'utf8');
  const log = new LogFile(file, { maxBytes: 100 });
  const handle = await log.openForChild();
  const script = `process.stdin.on('data', (line) => process.stdout.write(line.toString().repeat(20)));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', handle.fd, 'inherit'] });
  await handle.close();
  child.stdin?.write('before\n');
  while ((await stat(file)).size < 140) await new Promise(setImmediate);
  expect(await log.rotateIfLarge()).toBe(true);
  expect((await stat(file)).size).toBe(0);
  child.stdin?.end('after\n');
  await once(child, 'exit');
  expect(await read()).toBe('after\n'.repeat(20));
  expect(await read(`${file}.1`)).toBe('before\n'.repeat(20));
});

it('lines that an app writes while its log is rotated are kept', async () => {
  const file = join(await scratch('log-'), 'run.log');
  const read = (path = file): Promise<string> => readFile(path, 'utf8');
  await writeFile(file, `${'x'.repeat(99)}\n`.repeat(11_000));
  const log = new LogFile(file, { maxBytes: 1_000_000 });
  let over = false;
  const rotated = log.rotateIfLarge().finally(() => (over = true));
  let lines = 0;
  while (!over) {
    appendFileSync(file, `line ${lines}\n`);
    lines += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await rotated).toBe(true);
  const text = (await read(`${file}.1`)) + (await read());
  expect(text.match(/^line \d+$/gm)).toEqual(Array.from({ length: lines }, (_, number) => `line ${number}`));
});
