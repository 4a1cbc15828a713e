import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LogFile } from '../../../../src/logs/log-file.js';
import { LogPump } from '../../../../src/runtime/swarm/log-pump.js';

let folder: string;
let log: LogFile;
let place: string;
const said = (): Promise<string> => readFile(log.path, 'utf8');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pump-'));
  log = new LogFile(join(folder, 'run.log'));
  place = join(folder, 'position');
});
afterEach(() => rm(folder, { recursive: true }));

/** A log whose server is killed once it has written so many bytes of a part. */
class Killed extends LogFile {
  readonly #most: number;
  constructor(path: string, most: number) {
    super(path);
    this.#most = most;
  }
  override async take(output: Buffer): Promise<void> {
    await appendFile(this.path, output.subarray(0, this.#most));
    throw new Error('killed');
  }
}

it('output is written as it is, and where it ended is known to the next server', async () => {
  const pump = await LogPump.begin(log, place);
  await pump.write(0, Buffer.from('one\n'));
  await pump.write(4, Buffer.from('two\n'));
  const next = LogPump.resume(place);
  expect(next?.offset).toBe(4);
  // What comes again is not written again, whether it is all of it or a part, and what is new is.
  await next?.write(4, Buffer.from('two\nthree\n'));
  await next?.write(0, Buffer.from('one\ntwo\nthree\nfour\n'));
  expect(await said()).toBe('one\ntwo\nthree\nfour\n');
  await next?.forget();
  expect(LogPump.resume(place)).toBeUndefined();
});

const OUTPUT = 'first line\nsecond line\nthird\n';

it.each([0, 4, 11, 15, OUTPUT.length])(
  'no line is lost or doubled where the server was killed after %i bytes',
  async (most) => {
    await log.append('started');
    const pump = await LogPump.begin(new Killed(log.path, most), place);
    await pump.write(0, Buffer.from(OUTPUT)).catch(() => undefined); // It was killed.
    const next = LogPump.resume(place);
    // The parts are cut differently the second time.
    await next?.write(0, Buffer.from(OUTPUT.slice(0, 11)));
    await next?.write(11, Buffer.from(OUTPUT.slice(11)));
    expect((await said()).replace(/^\[.*\] started\n/, '')).toBe(OUTPUT);
  },
);

it('lines of the server’s own before and after the last write are left alone', async () => {
  const pump = await LogPump.begin(new Killed(log.path, OUTPUT.length), place);
  await pump.write(0, Buffer.from(OUTPUT)).catch(() => undefined); // It was killed.
  await log.append('adopted');
  await LogPump.resume(place)?.write(0, Buffer.from(`${OUTPUT}more\n`));
  expect((await said()).replace(/\[.*\] adopted\n/, '')).toBe(`${OUTPUT}more\n`);
});

it('a gap is told', async () => {
  const pump = await LogPump.begin(log, place);
  await pump.write(100, Buffer.from('late\n'));
  expect(await said()).toMatch(/^\[.*\] 100 bytes of output were lost while the server was not connected\nlate\n$/);
});
