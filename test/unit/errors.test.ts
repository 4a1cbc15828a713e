import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Refusal, refusalCodes, refusalOf } from '../../src/errors.js';

const SRC = join(import.meta.dirname, '..', '..', 'src');
/** The files that only list codes. */
const LISTS = ['errors.ts', join('web', 'api', 'codes.ts')];
const source = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !LISTS.includes(name))
  .map((name) => readFileSync(join(SRC, name), 'utf8'))
  .join('\n');

/** What a Refusal is made with: its kind, then its code, as a text or as a template that ends in a word. */
const MADE =
  /(?:Refusal|Changed|super)\(\s*'(?:invalid|unauthorised|forbidden|not-found|conflict|too-large|unavailable)',\s*'([^']+)'|\brefusal\(\s*'([^']+)'/g;

it('every code used in a refusal is listed', () => {
  const made = [...source.matchAll(MADE)].map((match) => match[1] ?? match[2]);
  expect(made.length).toBeGreaterThan(100);
  expect(made.filter((code) => !(refusalCodes as readonly (string | undefined)[]).includes(code))).toEqual([]);
});

it('every listed code is used, and listed once, in order', () => {
  // A command's and a deploy's end are put together from a word; that a disk is read-only, or too many files are open, is said beside the list, and tested below.
  const put = refusalCodes.filter((code) => /^(command|deploy)-|^(disk-read-only|too-many-open-files)$/.test(code));
  expect(source).toContain('`command-${');
  expect(source).toContain('`deploy-${');
  expect(refusalCodes.filter((code) => !put.includes(code) && !source.includes(`'${code}'`))).toEqual([]);
  expect([...new Set(refusalCodes)].sort()).toEqual(refusalCodes);
});

it('a disk that is full or read-only, and too many open files, are refusals everywhere, and an unexpected error is none', () => {
  expect(refusalOf(Object.assign(new Error('write'), { code: 'ENOSPC' }))?.code).toBe('disk-full');
  expect(refusalOf(Object.assign(new Error('open'), { code: 'EROFS' }))?.code).toBe('disk-read-only');
  const open = Object.assign(new Error('open'), { code: 'EMFILE' });
  expect(refusalOf(open)?.code).toBe('too-many-open-files');
  expect(refusalOf(new Error('git log failed', { cause: open }))?.code).toBe('too-many-open-files');
  expect(refusalOf(new Refusal('conflict', 'app-exists', 'There is one.'))?.status).toBe(409);
  expect(refusalOf(new Error('defect'))).toBeUndefined();
});

it('a refusal shows no credentials of a URL, however it came by them', () => {
  const refusal = new Refusal(
    'invalid',
    'build-failed',
    'Cannot fetch git+http://token@host/x and https://h/?token=abc.',
  );
  expect(refusal.message).toBe('Cannot fetch git+http://••••@host/x and https://h/?token=••••.');
});
