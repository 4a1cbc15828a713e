import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FsckWords } from '../../../src/git/fsck-words.js';
import { FLUSH, pkt } from '../../../src/git/pkt.js';

const ID = '844e32858c207f74f3d80721ef01c4b82fad2423';
const shown = (text: string): Buffer => pkt(`\u0002${text}`);

async function pass(bytes: Buffer, sizes: readonly number[] = [bytes.length]): Promise<string> {
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return (await buffer(Readable.from(pieces).pipe(new FsckWords()))).toString('latin1');
}

it('an object that git refuses is explained once, after what git says of it', async () => {
  const before = [
    shown(`error: object ${ID}: hasDot`),
    shown("git: contains '.git'\nfatal: fsck error in packed object\n"),
  ];
  const after = [pkt('\u0001000eunpack x\n0000'), FLUSH];
  const said = await pass(Buffer.concat([...before, ...after]), [7]);
  expect(said.startsWith(Buffer.concat(before).toString('latin1'))).toBe(true);
  expect(said.endsWith(Buffer.concat(after).toString('latin1'))).toBe(true);
  expect(said).toContain(
    `Nothing was pushed: git does not accept object ${ID.slice(0, 12)} (hasDotgit), which is damaged`,
  );
  expect(said).toContain(`git rev-list --all --objects | grep ${ID}\n`);
  expect(said.match(/Nothing was pushed/g)).toHaveLength(1);
});

it('every other answer is passed on unchanged, however the bytes are split, and whatever they are', async () => {
  const packets = fc
    .array(fc.option(fc.uint8Array({ maxLength: 300 })), { maxLength: 20 })
    .map((all) => Buffer.concat(all.map((payload) => (payload === null ? FLUSH : pkt(payload)))));
  const bytes = fc.oneof(
    packets,
    fc.uint8Array({ maxLength: 300 }).map((all) => Buffer.from(all)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), async (sent, sizes) => {
      expect(await pass(sent, sizes)).toBe(sent.toString('latin1'));
    }),
    { numRuns: 100 },
  );
});
