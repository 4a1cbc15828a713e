import { once } from 'node:events';
import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processSchema } from '../../src/domain/app/process.js';
import type { Address, HostAddress } from '../../src/lib/address.js';
import { ask } from '../../src/lib/ask.js';
import { LogFile } from '../../src/logs/log-file.js';
import type { Confines } from '../../src/runtime/process/cage/spec.js';
import type { BeginSpec, Instance, InstanceRecord, Order, Runtime } from '../../src/runtime/runtime.js';

// Waits for its order as python/launch.py does, and is up in a moment.
const INTERPRETER = `
const fs = require('node:fs');
const text = fs.readFileSync(0, 'utf8');
if (text === '') process.exit(1);
const order = JSON.parse(text);
const log = 1;
const say = (line) => fs.writeSync(log, line + '\\n');
process.chdir(order.cwd);
Object.assign(process.env, order.environment);
const [what, argument] = order.argv;
if (what === 'exit') process.exit(Number(argument));
process.on('SIGTERM', () => {
  say('was asked to end');
  if (what !== 'deaf') process.exit(0);
});
if (what === 'parent')
  require('node:child_process').spawn('sh', ['-c', 'echo child $$; exec sleep 600'], { detached: true, stdio: ['ignore', log, log] });
const where = order.listener === undefined ? { port: Number(process.env.PORT), host: '127.0.0.1' } : { fd: order.listener };
require('node:http').createServer((_, response) => response.end('ok')).listen(where, () => {
  say('zone ' + process.env.ZONE + ' early ' + process.env.EARLY);
});
`;

/** What the list needs of a runtime. */
export interface Harness {
  name: string;
  /** What this machine lacks for it; empty where it lacks nothing. */
  lacks?: string;
  /** A runtime for a server with this mark and data folder; two of the same are what a server and the next one have. */
  make(mark: string, data: string): Runtime;
  /** argv of an interpreter of JavaScript where the instances run. */
  interpreter: readonly string[];
  /** True while a process that an instance has started runs. @param pid as the instance sees it */
  runs(pid: number, instance: Instance): boolean;
  /** What an instance may reach, where the runtime needs to be told. @param folder what it is run from */
  confines?: (folder: string) => Confines;
  /** Ends an instance from outside, as the machine might. */
  kill(record: InstanceRecord): void;
  /** False where this machine reaches no port of an instance, but the socket that it is handed. */
  ports?: false;
}

/** The list that every runtime keeps to. */
export function runtimeContract(harness: Harness): void {
  const hasPorts = harness.ports !== false;
  const needsPorts = hasPorts ? '' : ' (needs ports of its own)';
  const reason = harness.lacks ? ` (${harness.lacks})` : '';
  let folder: string;
  let mark: string;
  let runtime: Runtime;
  let log: LogFile;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'runtime-')));
    // Instances may be another user's.
    await chmod(folder, 0o755);
    mark = `test-${process.pid}-${Date.now()}`;
    runtime = harness.make(mark, folder);
    log = new LogFile(join(folder, 'run.log'));
    await writeFile(join(folder, 'interpreter.cjs'), INTERPRETER);
  });
  afterEach(async () => {
    await runtime.sweep(new Set());
    await rm(folder, { recursive: true, force: true });
  });

  const said = (): Promise<string> => readFile(log.path, 'utf8').catch(() => '');
  const begin = (changes: Partial<BeginSpec> = {}): Promise<Instance> =>
    runtime.begin({
      app: 'demo',
      release: 3,
      command: [...harness.interpreter, join(folder, 'interpreter.cjs')],
      cwd: folder,
      environment: { EARLY: 'bird', ZONE: 'none' },
      log,
      confines: harness.confines?.(folder),
      ...changes,
    });
  const order = (address: Address, ...argv: string[]): Order => ({
    argv,
    cwd: folder,
    environment: { EARLY: 'bird', ZONE: 'north', ...('port' in address && { PORT: String(address.port) }) },
    log: log.path,
  });
  /** One that serves. */
  const serving = async (what = 'serve'): Promise<{ instance: Instance; address: Address }> => {
    const instance = await begin(hasPorts ? {} : { listener: true });
    const address = instance.address ?? (await leased());
    await instance.tell(order(address, what));
    await expect.poll(said, { timeout: 20_000 }).toContain('zone');
    return { instance, address };
  };
  const leased = async (): Promise<HostAddress> => {
    const lease = runtime.lease();
    await lease.take();
    return lease.address;
  };
  const answer = async (address: Address): Promise<string> => (await ask(address, '/', 20_000)).body;
  /** A record as the next server reads it. */
  const remembered = ({ record }: Instance): InstanceRecord =>
    processSchema.parse(
      JSON.parse(JSON.stringify({ ...record, release: 3, port: 1, startedAt: new Date(0).toISOString() })),
    );

  describe.skipIf(harness.lacks !== undefined && harness.lacks !== '')(`the ${harness.name} runtime${reason}`, () => {
    it('holds an instance until its order, and then runs it with the environment from the order', async () => {
      const instance = await begin(hasPorts ? {} : { listener: true });
      expect([instance.running, instance.record.runtime]).toEqual([true, runtime.kind]);
      expect(instance.environment).toEqual({ EARLY: 'bird', ZONE: 'none' });
      expect(instance.record.mark).toMatch(new RegExp(`^${mark}/demo/3/.`));
      const address = instance.address ?? (await leased());
      await instance.tell(order(address, 'serve'));
      await expect.poll(said, { timeout: 20_000 }).toBe('zone north early bird\n');
      expect(await answer(address)).toBe('ok');
    });

    it('gives every instance its own mark', async () => {
      const [one, other] = await Promise.all([begin(), begin()]);
      expect(one.record.mark).not.toBe(other.record.mark);
    });

    it('refuses a command that does not exist', async () => {
      await expect(begin({ command: ['/nowhere/python'] })).rejects.toMatchObject({ code: 'app-not-started' });
    });

    it('reports the exit code of an instance that exits by itself', async () => {
      const instance = await begin();
      await instance.tell(order({ host: '', port: 0 }, 'exit', '7'));
      expect(await instance.ended).toEqual({ code: 7, signal: null });
      expect(instance.running).toBe(false);
    });

    it('reports the signal that killed an instance', async () => {
      const instance = await begin();
      harness.kill(instance.record);
      expect(await instance.ended).toEqual({ code: null, signal: 'SIGKILL' });
    });

    it.runIf(hasPorts)(`knows which instance answers at an address${needsPorts}`, async () => {
      const { instance, address } = await serving();
      if (!('port' in address)) throw new Error('it has no port');
      const other = await begin();
      expect([await instance.owns(address), await other.owns(address)]).toEqual([true, false]);
      expect([await instance.listening(), await other.listening()]).toEqual([[address.port], []]);
      expect(await instance.owns({ ...address, port: address.port + 1 })).toBe(false);
    });

    it('gives an instance an address for its whole life, across adoptions', async () => {
      const [instance, other] = await Promise.all([begin({ listener: true }), begin({ listener: true })]);
      const { address } = instance;
      if (address === undefined) throw new Error('it was handed none');
      expect([await instance.owns(address), await other.owns(address)]).toEqual([true, false]);
      const early = answer(address);
      await instance.tell(order(address, 'serve'));
      expect(await early).toBe('ok');
      instance.leave();
      const next = harness.make(mark, folder);
      await next.sweep(new Set([instance.record.mark]));
      const adopted = await next.adopt(remembered(instance));
      expect([adopted?.address, await answer(address)]).toEqual([address, 'ok']);
      expect([other.running, await answer(other.address ?? address).catch(() => 'gone')]).toEqual([false, 'gone']);
      await adopted?.end(1_000);
      await expect(answer(address)).rejects.toThrow();
    });

    it.runIf(hasPorts)(
      `keeps a port as long as nobody else takes it, and never gives two instances the same one${needsPorts}`,
      async () => {
        const [one, other] = [runtime.lease(), runtime.lease()];
        expect(await one.take()).toBe(true);
        await other.take();
        expect(one.address).not.toEqual(other.address);
        const before = one.address;
        expect([await one.take(), one.address, one.note]).toEqual([false, before, '']);
        one.giveBack();
        expect(one.address).toEqual(before);
        other.giveBack();
      },
    );

    it('reports the usage of its running instances only', async () => {
      const { instance } = await serving();
      const usage = runtime.usage().get(instance.record.mark);
      expect(usage?.memory).toBeGreaterThan(1_000_000);
      expect(usage?.cpuSeconds).toBeGreaterThanOrEqual(0);
      expect(usage?.openFiles).toBeUndefined();
      const counted = runtime.usage((mark) => mark === instance.record.mark);
      expect(counted.get(instance.record.mark)?.openFiles).toBeGreaterThan(2);
      await instance.end(5_000);
      expect(runtime.usage().has(instance.record.mark)).toBe(false);
    });

    it('gives an instance time to finish when it is stopped', async () => {
      const { instance } = await serving();
      await instance.end(10_000);
      expect(await said()).toContain('was asked to end');
      expect(await instance.ended).toEqual({ code: 0, signal: null });
    });

    it('kills an instance that does not stop in time', async () => {
      const { instance } = await serving('deaf');
      const begun = Date.now();
      await instance.end(300);
      expect(Date.now() - begun).toBeGreaterThanOrEqual(300);
      expect(await said()).toContain('was asked to end');
      expect(await instance.ended).toEqual({ code: null, signal: 'SIGKILL' });
    });

    it.each(['end', 'sweep'] as const)('leaves no process that an instance has started (%s)', async (how) => {
      const { instance } = await serving('parent');
      await expect.poll(said, { timeout: 20_000 }).toMatch(/child \d+/);
      const child = Number(/child (\d+)/.exec(await said())?.[1]);
      expect(harness.runs(child, instance)).toBe(true);
      if (how === 'end') await instance.end(1_000);
      else {
        harness.kill(instance.record);
        await instance.ended;
        await instance.sweep();
      }
      expect(harness.runs(child, instance)).toBe(false);
    });

    it('lets another server adopt the instances of this one', async () => {
      const { instance, address } = await serving();
      instance.leave();
      const next = harness.make(mark, folder);
      const adopted = await next.adopt(remembered(instance));
      expect(adopted?.record).toEqual(instance.record);
      expect([adopted?.running, await adopted?.owns(address), await answer(address)]).toEqual([true, true, 'ok']);
      await expect.poll(() => next.usage().get(instance.record.mark)?.memory).toBeGreaterThan(1_000_000);
      harness.kill(instance.record);
      await adopted?.ended;
      expect(await next.adopt(remembered(instance))).toBeUndefined();
    });

    it('neither adopts nor stops instances of another runtime', async () => {
      const instance = await begin();
      const record = { ...remembered(instance), runtime: 'another' };
      expect(await runtime.adopt(record)).toBeUndefined();
      await runtime.discard(record);
      expect(await runtime.isForeign(record)).toBe(false);
      expect(instance.running).toBe(true);
    });

    it('cleans up after an instance that is not adopted', async () => {
      const [one, other] = await Promise.all([begin(), begin()]);
      await runtime.discard(remembered(one));
      expect([one.running, other.running]).toEqual([false, true]);
    });

    it('sweeps instances that are in no record, and leaves those of other servers alone', async () => {
      const [lost, kept] = await Promise.all([begin(), begin()]);
      const neighbour = harness.make(`neighbour-${mark}`, folder);
      const foreign = await neighbour.begin({
        app: 'demo',
        release: 3,
        command: ['sleep', '60'],
        cwd: '/',
        environment: {},
      });
      try {
        await harness.make(mark, folder).sweep(new Set([kept.record.mark]));
        expect([lost.running, kept.running, foreign.running]).toEqual([false, true, true]);
      } finally {
        await foreign.end(0);
      }
    });

    it('does not sweep instances of an app whose record cannot be read', async () => {
      const instance = await begin();
      await harness.make(mark, folder).sweep(new Set(), new Set(['demo']));
      expect(instance.running).toBe(true);
      await harness.make(mark, folder).sweep(new Set(), new Set(['another']));
      expect(instance.running).toBe(false);
    });

    it('recognises instances of the server whose data folder was copied', async () => {
      const instance = await begin();
      const copy = harness.make(`copy-${mark}`, join(folder, 'copy'));
      expect([await copy.isForeign(remembered(instance)), await runtime.isForeign(remembered(instance))]).toEqual([
        true,
        false,
      ]);
      // The folder was moved, and the mark with it.
      expect(await harness.make(`moved-${mark}`, folder).isForeign(remembered(instance))).toBe(false);
      await instance.end(0);
      expect(await copy.isForeign(remembered(instance))).toBe(false);
    });

    it.runIf(hasPorts)(
      `says which process holds the requested port when it gives another one${needsPorts}`,
      async () => {
        const stranger = createServer().listen(0, '127.0.0.1');
        await once(stranger, 'listening');
        const { port } = stranger.address() as { port: number };
        const lease = runtime.lease(port);
        await lease.take();
        expect(lease.address.port).not.toBe(port);
        expect(lease.note).toContain(String(port));
        lease.giveBack();
        await once(stranger.close(), 'close');
      },
    );
  });
}
