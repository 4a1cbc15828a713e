import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Announcement } from '../../../src/git/announcement.js';
import { FLUSH, pkt } from '../../../src/git/pkt.js';

const [OLD, NEW] = ['1'.repeat(40), '2'.repeat(40)];
const UPDATES = ['refs/heads/main', 'refs/heads/größe'].map((ref) => ({ old: OLD, new: NEW, ref }));
const BODY = Buffer.concat([
  pkt(`shallow ${OLD}`),
  pkt(`${OLD} ${NEW} refs/heads/main\0 report-status side-band-64k push-options`),
  pkt(`${OLD} ${NEW} refs/heads/größe\n`),
  FLUSH,
  Buffer.from('PACK\0\0\0\x02 and objects, which are no packets'),
]);

it('an announcement lists the refs of a push once, before its objects and however the bytes are split', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: BODY.length }), (size) => {
      const announcement = new Announcement();
      const told = [];
      for (let at = 0; at < BODY.length; at += size) told.push(announcement.read(BODY.subarray(at, at + size)));
      expect(told.filter((updates) => updates !== undefined)).toEqual([UPDATES]);
    }),
  );
});

it('an announcement lists no refs if git only asks whether it may push', () => {
  expect(new Announcement().read(FLUSH)).toEqual([]);
});

it.each(['GET / HTTP/1.1', 'zzzz', '0004'])('an announcement ignores "%s"', (text) => {
  const announcement = new Announcement();
  expect(announcement.read(Buffer.from(text))).toBeUndefined();
  expect(announcement.read(Buffer.from('more'))).toBeUndefined();
});
