import { expect, test } from 'vitest';
import { backoff, countCrash, processKey, processSchema, STEADY_MS } from '../../../../src/domain/app/process.js';

test('a process is restarted at once after its first crash, then with doubling delays of at most a minute', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000].map(backoff)).toEqual([
    0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
  ]);
});

test('consecutive crashes are counted until it has run steadily for a while', () => {
  expect(countCrash(0, 10)).toBe(1);
  expect(countCrash(4, STEADY_MS - 1)).toBe(5);
  expect(countCrash(4, STEADY_MS)).toBe(1);
});

const RECORD = { release: 1, port: 8_501, mark: 'm/hello/1/x', startedAt: '2026-11-21T10:00:00Z' };

test('a record without a runtime is that of a local process', () => {
  const old = { ...RECORD, pid: 7, startTime: '12' };
  expect(processSchema.parse(old)).toEqual({ ...old, runtime: 'process' });
});

test('a record of another runtime needs no pid, and fields of a later server are ignored', () => {
  expect(processSchema.parse({ ...RECORD, runtime: 'container', node: 'n1' })).toEqual({
    ...RECORD,
    runtime: 'container',
  });
});

test("the files of a process are recognised by its key, and those of older servers' processes by its port", () => {
  expect(processKey({ ...RECORD, key: 'f00d' })).toBe('f00d');
  expect(processKey(RECORD)).toBe('8501');
});
