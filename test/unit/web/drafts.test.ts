import { expect, it } from 'vitest';
import { Drafts } from '../../../src/web/drafts.js';

const PATH = '/console/apps/shop/files/app.py';
const draft = (content: string) => ({ account: 'ada', path: PATH, fields: { content } });

it('a draft is shown to the one who typed it alone, where it belongs, for an hour', () => {
  let now = 0;
  const drafts = new Drafts(() => now);
  const id = drafts.keep(draft('typed'));
  expect(drafts.find(id, 'ada', PATH)).toEqual({ content: 'typed' });
  expect(drafts.find(id, 'eve', PATH)).toBeUndefined();
  expect(drafts.find(id, undefined, PATH)).toBeUndefined();
  expect(drafts.find(id, 'ada', '/console/apps/other/files/app.py')).toBeUndefined();
  expect(drafts.find('another', 'ada', PATH)).toBeUndefined();
  now += 3_600_000;
  expect(drafts.find(id, 'ada', PATH)).toBeUndefined();
});

it('drafts fill no memory: the oldest are dropped', () => {
  const drafts = new Drafts();
  const ids = Array.from({ length: 10 }, () => drafts.keep(draft('x'.repeat(4_000_000))));
  expect(ids.map((id) => drafts.find(id, 'ada', PATH) !== undefined)).toEqual([
    ...Array<boolean>(6).fill(false),
    ...Array<boolean>(4).fill(true),
  ]);
});

it.each([
  ['/console/apps/shop/files/pages/a.py', true],
  ['/console/apps/shop/new-file', true],
  ['/console/apps/shop/config', true],
  ['/console/apps/shop/settings', false],
  ['/console/apps/shop/delete', false],
  ['/console/login', false],
])('only forms with texts are kept: %s', (path, isKept) => {
  expect(Drafts.takes(path)).toBe(isKept);
});
