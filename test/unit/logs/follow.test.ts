import { appendFile, mkdir, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { follow, type Added } from '../../../src/logs/follow.js';
import { LogFile } from '../../../src/logs/log-file.js';
import { tail } from '../../../src/logs/tail.js';

let folder: string;
let file: string;
let stop: AbortController;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'follow-'));
  file = join(folder, 'run.log');
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await rm(folder, { recursive: true });
});

function start(from: number, pollMs = 50): AsyncGenerator<Added, void, undefined> {
  return follow(file, { from, signal: stop.signal, pollMs });
}

async function next(following: AsyncGenerator<Added, void, undefined>): Promise<Added> {
  const { value } = await following.next();
  if (value === undefined) throw new Error('it ended');
  return value;
}

/** What comes until this text was there. */
async function until(following: AsyncGenerator<Added, void, undefined>, end: string): Promise<string> {
  let text = '';
  while (!text.endsWith(end)) text += (await next(following)).text;
  return text;
}

it('follow returns existing and new lines, complete, each with the offset to resume at', async () => {
  await writeFile(file, 'one\ntwo\nhal');
  const following = start(0);
  expect(await next(following)).toEqual({ text: 'one\ntwo\n', offset: 8 });
  const coming = next(following);
  await appendFile(file, 'f\n');
  expect(await coming).toEqual({ text: 'half\n', offset: 13 });
});

it('follow continues after a tail without a gap', async () => {
  await writeFile(file, Buffer.concat([Buffer.from('one\ntwo '), Buffer.from('🎈').subarray(0, 2)]));
  const seen = await tail(file, 10);
  await appendFile(file, Buffer.concat([Buffer.from('🎈').subarray(2), Buffer.from(' end\n')]));
  expect(seen.lines).toEqual(['one', 'two ']);
  expect((await next(start(seen.offset))).text).toBe('🎈 end\n');
});

it('follow waits for a file, and a folder, that do not exist yet', async () => {
  file = join(folder, 'later', 'run.log');
  const coming = next(start(0));
  await mkdir(join(folder, 'later'));
  await writeFile(file, 'here\n');
  expect(await coming).toEqual({ text: 'here\n', offset: 5 });
});

it('follow starts over if the file was emptied, even if it has grown past the old offset since', async () => {
  await writeFile(file, 'old line\n');
  const following = start(0);
  await next(following);
  await truncate(file, 0);
  await appendFile(file, 'new and much longer line\nand one more\n');
  expect(await until(following, 'one more\n')).toBe('new and much longer line\nand one more\n');
});

it('follow loses nothing across a rotation', async () => {
  const log = new LogFile(file, { maxBytes: 1_000 });
  const following = start(0);
  for (let index = 0; index < 30; index += 1) {
    await log.append(`${index} ${'x'.repeat(200)}`);
    expect((await next(following)).text).toContain(` ${index} xxx`);
    await log.rotateIfLarge();
  }
});

it('follow starts at the beginning if the offset is past the end', async () => {
  await writeFile(file, 'short\n');
  expect(await next(start(1_000))).toEqual({ text: 'short\n', offset: 6 });
});

it('follow continues with a file that replaced the old one', async () => {
  await writeFile(file, 'old\n');
  const following = start(0);
  await next(following);
  await writeFile(join(folder, 'other'), 'another\n');
  await rename(join(folder, 'other'), file);
  expect(await next(following)).toEqual({ text: 'another\n', offset: 8 });
});

it('follow returns large files in blocks, and resumes at any of their offsets', async () => {
  const text = Array.from({ length: 30_000 }, (_, index) => `line ${index} é\n`).join('');
  await writeFile(file, text);
  const following = start(0);
  const first = await next(following);
  expect(first.text.length).toBeLessThanOrEqual(64 * 1024);
  expect(text.startsWith(first.text)).toBe(true);
  expect(first.text + (await until(start(first.offset), 'line 29999 é\n'))).toBe(text);
});

it('follow truncates a line larger than a block, and returns the next one complete', async () => {
  await writeFile(file, `${'x'.repeat(300_000)}\nnext\n`);
  const text = await until(start(0), 'next\n');
  expect(text).toMatch(/^x{8000,}…\nnext\n$/);
});

it('follow returns a last line once it is complete, however long that takes', async () => {
  await writeFile(file, 'a');
  const following = start(0, 60_000);
  const coming = next(following);
  await appendFile(file, 'b\n');
  expect((await coming).text).toBe('ab\n');
});

it('follow shows a progress bar while its line is not complete, and the line once it is', async () => {
  await writeFile(file, 'begin\n\r 0%');
  const following = start(0);
  expect(await next(following)).toEqual({ text: 'begin\n', offset: 6 });
  expect(await next(following)).toEqual({ text: '', redrawn: ' 0%', offset: 6 });
  const coming = next(following);
  await appendFile(file, '\r 50%');
  expect(await coming).toEqual({ text: '', redrawn: ' 50%', offset: 6 });
  await appendFile(file, '\r100%\nend\n');
  expect(await next(following)).toEqual({ text: '100%\nend\n', offset: 25 });
});

it('follow takes neither half a line nor half of its end for a progress bar', async () => {
  await writeFile(file, 'half\r');
  const following = start(0);
  const coming = next(following);
  await appendFile(file, '\n');
  expect(await coming).toEqual({ text: 'half\n', offset: 6 });
});

it('follow shows a progress bar of many megabytes as it is now', async () => {
  const bar = Array.from({ length: 1_000_000 }, (_, step) => `\r${step} of 1000000`).join('');
  await writeFile(file, bar);
  const following = start(0);
  expect(await next(following)).toMatchObject({ text: '', redrawn: '999999 of 1000000' });
  await appendFile(file, '\rdone\n');
  expect(await next(following)).toEqual({ text: 'done\n', offset: bar.length + 6 });
});

it('follow ends at once when it is aborted, even while it waits', async () => {
  const following = start(0, 60_000);
  const end = following.next();
  stop.abort();
  expect(await end).toEqual({ done: true, value: undefined });
  expect(await follow(file, { from: 0, signal: stop.signal }).next()).toEqual({ done: true, value: undefined });
});
