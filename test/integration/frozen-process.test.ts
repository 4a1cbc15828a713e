import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { LogFile } from '../../src/logs/log-file.js';
import { AppProcess } from '../../src/runtime/app-process.js';
import { Ports } from '../../src/runtime/process/ports.js';
import { ProcessRuntime } from '../../src/runtime/process/process-runtime.js';
import { portRange } from '../helpers/ports.js';

const SERVER = `require('node:http').createServer((_, response) => response.end('ok')).listen(Number(process.env.PORT), '127.0.0.1');`;

// It takes the 50 s that five questions wait for an answer.
test('a frozen process is stopped and restarted, and one that answers is left alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'frozen-'));
  await writeFile(join(folder, 'app.cjs'), SERVER);
  const place = { mark: `frozen-${process.pid}`, data: folder, tmp: folder, sockets: folder };
  const app = new AppProcess(
    {
      app: 'demo',
      release: 1,
      command: [process.execPath, './app.cjs'],
      order: ['app'],
      cwd: folder,
      environment: ({ port }) => ({ PORT: String(port) }),
      port: 'any',
      healthPath: '/health',
      startLimitMs: 120_000,
      log: new LogFile(join(folder, 'run.log')),
    },
    new ProcessRuntime({ ...place, ports: new Ports(portRange(10)) }),
    () => undefined,
  );
  const ready = async (no?: number): Promise<void> => {
    while (app.state !== 'ready' || app.pid === no) await sleep(20);
  };
  try {
    void app.run();
    await ready();
    const { pid } = app;
    await app.checkHealth(1);
    expect([app.pid, app.state]).toEqual([pid, 'ready']);
    // A minute without an answer takes a minute: only the clock is ahead here, not what is asked.
    process.kill(pid ?? 0, 'SIGSTOP');
    const clock = vi.spyOn(performance, 'now');
    for (let question = 0; question < 5; question += 1) {
      clock.mockReturnValue(1_000_000 + question * 15_000);
      await Promise.all([app.checkHealth(1), sleep(0)]);
    }
    clock.mockRestore();
    await ready(pid);
    expect([app.lastExit, app.restarts]).toEqual(['the app did not respond for 60 s and was stopped', 1]);
    expect(await readFile(join(folder, 'run.log'), 'utf8')).toContain(
      'the app did not respond for 60 s and was stopped',
    );
  } finally {
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
