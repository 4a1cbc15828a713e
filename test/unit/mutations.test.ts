import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

// What `npm run mutate` tries takes minutes; that its list is not out of date shows here.

const list = new URL('../security/mutations.js', import.meta.url).href;
type Mutation = [tests: string, file: string, code: string, instead: string];
const { MUTATIONS, placeOf } = (await import(list)) as {
  MUTATIONS: Mutation[];
  placeOf: (file: string) => string;
};
const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const docs = read('docs/security.md');

describe.each(MUTATIONS)('the mutation for %s in %s', (tests, file, code, instead) => {
  test('changes what is in the file once', () => {
    expect(read(placeOf(file)).split(code), code).toHaveLength(2);
    expect(instead).not.toBe(code);
  });

  test.each(tests.split(' '))('is for a test that docs/security.md lists: %s', (name) => {
    expect(docs).toContain(`\`${name.replace(/^security\//, '')}\``);
    expect(read(`test/${name}.test.ts`)).not.toBe('');
  });
});
