import { expect, it } from 'vitest';
import { z } from 'zod';
import { messageOf } from '../../../../src/errors.js';
import { bodies, params, parseInput, queries } from '../../../../src/web/api/schemas.js';

/** Words of the library that checks the input, which say nothing to the one who sent it. */
const JARGON = /invalid (option|input|string|type)|expected|received|pattern|too (small|big)|unrecognized|NaN|>=|<=/i;

const BAD: unknown[] = [
  undefined,
  null,
  true,
  '',
  ' ',
  'x'.repeat(5_000),
  'a\u0007',
  '\ud800',
  -1,
  0,
  1.5,
  1e12,
  NaN,
  {},
  ['\n'],
  [1],
  Array(9).fill('a'),
];

it('every invalid input is reported in our own words', () => {
  let refused = 0;
  for (const schema of [...Object.values(params), ...Object.values(queries), ...Object.values(bodies)]) {
    for (const key of [...Object.keys(schema.shape), 'unknown']) {
      for (const value of BAD) {
        try {
          parseInput(schema, { [key]: value });
        } catch (error) {
          refused += 1;
          expect(messageOf(error)).not.toMatch(JARGON);
          expect(messageOf(error)).toMatch(/^("|The request).*\.$/s);
        }
      }
    }
  }
  expect(refused).toBeGreaterThan(100);
});

it('a value that is not one of those that there are is told these', () => {
  expect(() => parseInput(queries.logs, { source: 'x' })).toThrow('"source" must be one of "run", "build".');
  expect(() => parseInput(queries.logs, { tail: '0' })).toThrow('"tail" must be at least 1.');
});

it('the patterns of the document are ones that every reader knows', () => {
  const text = JSON.stringify(
    Object.values(bodies).map((schema) => z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' })),
  );
  const patterns = [...text.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
    (match) => JSON.parse(match[1] ?? '') as string,
  );
  expect(patterns.length).toBeGreaterThan(3);
  for (const pattern of patterns) {
    expect(pattern).not.toMatch(/\/u$|\\p\{/);
    expect(() => new RegExp(pattern)).not.toThrow();
  }
});
