import { expect, it } from 'vitest';
import { isOid, maybePointer, readPointer } from '../../../../src/domain/project/lfs.js';

const OID = 'ab'.repeat(32);
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${OID}\nsize 12345\n`;

it('a pointer names the content and its size', () => {
  expect(readPointer(Buffer.from(POINTER))).toEqual({ oid: OID, size: 12_345 });
});

it.each([
  ['of another version', POINTER.replace('v1', 'v9')],
  ['without a hash', POINTER.replace(/oid.*\n/, '')],
  ['with a hash that is a path', POINTER.replace(OID, '../../etc/passwd')],
  ['without a size', POINTER.replace(/size.*\n/, '')],
  ['with a negative size', POINTER.replace('12345', '-1')],
  ['after other text', `Hello\n${POINTER}`],
  ['with more than a pointer can have', POINTER.padEnd(2_000, '\n')],
])('a file that looks like a pointer %s is an ordinary file', (_what, text) => {
  expect(readPointer(Buffer.from(text))).toBeUndefined();
});

it('only a small file may be a pointer', () => {
  expect([10, POINTER.length, 1_024].map(maybePointer)).toEqual([false, true, false]);
});

it('only a hash is an id of an object', () => {
  expect([OID, OID.toUpperCase(), OID.slice(1), `${OID}/`, '..'].map(isOid)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});
