import { Agent, request, type RequestOptions } from 'node:http';
import { beforeAll, expect, it } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { below, Installation } from '../helpers/installation.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

/**
 * How many answers are timed after as many more, and how long (ms) the fastest may take: others tell how busy the machine is.
 * Delayed ones take 40 ms each, except for the first on a connection.
 */
const ANSWERS = 20;
const MOST_MS = 15;

let host: TestHost;

beforeAll(async () => {
  const installation = await Installation.create();
  await installation.write(below('apps/placed', textApp('in place')));
  host = await startHost({ env: installation.env });
  await pushLive(await Project.create(textApp('pushed')), host, 'pushed');
});

/** How long the fastest answer on one kept connection takes, in ms. */
async function answerTime(to: RequestOptions): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  const sockets = new Set<unknown>();
  for (let count = 0; count < 2 * ANSWERS; count += 1) {
    const begun = performance.now();
    await new Promise<void>((resolve, reject) => {
      const asked = request({ ...to, agent }, (answer) => {
        expect(answer.statusCode).toBe(200);
        answer.resume().once('end', resolve);
      });
      asked.once('socket', (socket) => sockets.add(socket));
      asked.once('error', reject);
      asked.end();
    });
    times.push(performance.now() - begun);
  }
  agent.destroy();
  expect(sockets.size, 'connections').toBe(1);
  return Math.min(...times.slice(ANSWERS));
}

it('the gateway answers at once on a kept-alive connection', async () => {
  const { hostname, port } = new URL(host.url);
  expect(await answerTime({ host: hostname, port, path: '/apps/pushed/_stcore/health' })).toBeLessThan(MOST_MS);
});

it('an app that listens on its own port answers at once as well', async () => {
  const { port } = await until('the app in place runs', async () => {
    const app = await host.app('placed');
    return app.state === 'running' && app;
  });
  expect(await answerTime({ host: '127.0.0.1', port: Number(port), path: '/apps/placed/_stcore/health' })).toBeLessThan(
    MOST_MS,
  );
});
