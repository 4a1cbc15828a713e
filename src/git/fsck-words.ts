import { Transform, type TransformCallback } from 'node:stream';
import { pkt, PktReader } from './pkt.js';

/** How much is remembered of what git says, in characters: its lines come in several packets. */
const MEMORY = 2_000;

/** The band of what is shown to the pusher (https://git-scm.com/docs/gitprotocol-pack#_packfile_data). */
const SHOWN = 2;

/** What git says before it gives up (https://git-scm.com/docs/git-fsck#_fsck_messages). */
const REFUSED = /error: object ([0-9a-f]{40,64}): (\w+)[^\n]*\n(?:[^\n]*\n)*fatal: fsck error[^\n]*\n/;

/** Passes git's answer to a push on. Where git has refused an object, says after it what that means and what to do. */
export class FsckWords extends Transform {
  readonly #reader = new PktReader();
  #said = '';
  /** True once what came was no conversation of packets. */
  #over = false;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let passed = 0;
    try {
      for (const packet of this.#over ? [] : this.#reader.read(chunk)) {
        const words = packet?.[0] === SHOWN ? this.#wordsFor(packet.subarray(1).toString('utf8')) : undefined;
        if (words === undefined) continue;
        // Between two packets.
        const end = chunk.length - this.#reader.rest.length;
        this.push(chunk.subarray(passed, end));
        this.push(words);
        passed = end;
      }
    } catch {
      // Something else than packets: there is nothing to explain.
      this.#over = true;
    }
    done(null, chunk.subarray(passed));
  }

  #wordsFor(text: string): Buffer | undefined {
    this.#said = (this.#said + text).slice(-MEMORY);
    const [, id = '', what = ''] = REFUSED.exec(this.#said) ?? [];
    if (id === '') return undefined;
    this.#said = '';
    const lines = [
      '',
      `Nothing was pushed: git does not accept object ${id.slice(0, 12)} (${what}), which is damaged or unsafe.`,
      'To see where it is in your history:',
      `  git rev-list --all --objects | grep ${id}`,
      'Rewrite the commits that contain it, then push again.',
      '',
    ];
    return pkt(Buffer.concat([Buffer.from([SHOWN]), Buffer.from(lines.map((line) => `${line}\n`).join(''))]));
  }
}
