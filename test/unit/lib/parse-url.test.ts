import { expect, it } from 'vitest';
import { parseUrl } from '../../../src/lib/parse-url.js';

it('reads URLs, also below another one, and nothing else', () => {
  expect(parseUrl('https://a.example/b')?.host).toBe('a.example');
  expect(parseUrl('/b?c', 'https://a.example')?.href).toBe('https://a.example/b?c');
  for (const text of ['', '/b', 'https://', 'null']) expect(parseUrl(text)).toBeUndefined();
});

it('never throws, however often it is asked', () => {
  // Node answers from other code once a function has been compiled.
  const wrong = Array.from({ length: 20_000 }, () => parseUrl('https://\u00df@')).filter((url) => url !== undefined);
  expect(wrong).toEqual([]);
});
