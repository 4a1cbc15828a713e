import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DeployLog } from '../../../src/deploys/log.js';
import { LogFile } from '../../../src/logs/log-file.js';

let folder: string;
let file: LogFile;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deploy-log-'));
  file = new LogFile(join(folder, 'build.log'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What is in the file once everything before is written. */
async function written(): Promise<string[]> {
  await file.append('end');
  const lines = (await readFile(file.path, 'utf8')).split('\n').slice(0, -2);
  return lines.map((line) => line.replace(/^\[[^\]]+\] /, ''));
}

it("a deploy's log is heard at once, and written to the file in the same order", async () => {
  const log = new DeployLog(file, (text) => text);
  const heard: string[] = [];
  log.follow((line) => heard.push(line));
  log.step('Installing dependencies');
  log.output('Resolved 40 packages');
  expect(heard).toHaveLength(2);
  expect(heard[0]).toMatch(/^ +\d+\.\ds {2}Installing dependencies$/);
  expect(heard[1]).toBe('         Resolved 40 packages');
  expect(await written()).toEqual(heard);
});

it("a deploy's log is replayed to a late listener, and no longer sent to one that has left", () => {
  const log = new DeployLog(file, (text) => text);
  log.output('one');
  const heard: string[] = [];
  const leave = log.follow((line) => heard.push(line.trim()));
  log.output('two');
  leave();
  log.output('three');
  expect(heard).toEqual(['one', 'two']);
});

it("a deploy's log contains no secrets, for any listener", async () => {
  const log = new DeployLog(file, (text) => text.replaceAll('hunter2', '••••'));
  const heard: string[] = [];
  log.follow((line) => heard.push(line));
  log.step('with hunter2');
  log.output('and hunter2');
  expect(heard.join()).not.toContain('hunter2');
  expect((await written()).join()).not.toContain('hunter2');
});

it("a deploy's log truncates endless tool output, and continues with its steps", async () => {
  const log = new DeployLog(file, (text) => text);
  const heard: string[] = [];
  log.follow((line) => heard.push(line));
  const line = 'x'.repeat(1_000);
  for (let number = 0; number < 10_000; number += 1) log.output(line);
  log.step('Failed');
  expect(heard.length).toBeLessThan(2_200);
  expect(heard.at(-2)).toContain('… truncated.');
  expect(heard.at(-1)).toContain('Failed');
  expect(await written()).toHaveLength(heard.length);
});

it("a deploy's log keeps its newest few thousand lines for late listeners", () => {
  const log = new DeployLog(file, (text) => text);
  for (let number = 0; number < 12_000; number += 1) log.output(String(number));
  const heard: string[] = [];
  log.follow((line) => heard.push(line.trim()));
  expect(heard.length).toBeLessThanOrEqual(5_000);
  expect(heard.at(-1)).toBe('11999');
});

it("a deploy's log does not fail if it cannot be written", async () => {
  const log = new DeployLog(new LogFile(join(folder, 'is', 'not', 'there')), (text) => text);
  const heard: string[] = [];
  log.follow((line) => heard.push(line));
  log.step('Live');
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toHaveLength(1);
});
