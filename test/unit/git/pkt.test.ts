import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FLUSH, MAX_PAYLOAD, pkt, PktReader } from '../../../src/git/pkt.js';

it('a packet starts with its length in bytes, not in characters', () => {
  expect(pkt('ok\n').toString('latin1')).toBe('0007ok\n');
  expect(pkt('é').subarray(0, 4).toString('latin1')).toBe('0006');
  expect(pkt('').toString('latin1')).toBe('0004');
});

it('a packet may be as long as git allows, and no longer', () => {
  expect(pkt(new Uint8Array(MAX_PAYLOAD))).toHaveLength(MAX_PAYLOAD + 4);
  expect(() => pkt(new Uint8Array(MAX_PAYLOAD + 1))).toThrow(RangeError);
});

it('a packet reader returns every packet complete and in order, however the bytes are split', () => {
  const payloads = fc.array(fc.option(fc.uint8Array({ maxLength: 300 })), { maxLength: 20 });
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map((payload) => (payload === null ? FLUSH : pkt(payload))));
      const reader = new PktReader();
      const got: (Buffer | null)[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = cuts[turn % cuts.length] ?? 1;
        got.push(...reader.push(bytes.subarray(at, at + size)));
        at += size;
      }
      expect(got.map((packet) => packet?.toString('hex') ?? null)).toEqual(
        sent.map((payload) => (payload === null ? null : Buffer.from(payload).toString('hex'))),
      );
    }),
  );
});

it('a packet reader distinguishes an empty packet from a flush', () => {
  expect(new PktReader().push(Buffer.from('00040000'))).toEqual([Buffer.alloc(0), null]);
});

it.each(['zzzz', '-001', '0x10', '    '])('a packet reader refuses the length "%s"', (length) => {
  expect(() => new PktReader().push(Buffer.from(`${length}data`))).toThrow('not a pkt-line');
});
