import { beforeAll, describe, expect, it } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

/** How often it is deployed again. */
const ROUNDS = Number(process.env.ROUNDS ?? 10);
const SESSIONS = 20;
/** 20 requests a second. */
const PAUSE_MS = 50;

const app = (round: number): string => `
import streamlit as st

st.session_state.setdefault("count", 0)
st.session_state.count += 1
st.text("round=${round}")
st.text(f"count={st.session_state.count}")
`;

/** A visitor who keeps a tab open: where it is bound, and what it must show next. */
interface Visitor {
  client: StreamlitClient;
  release: number;
  count: number;
}

describe('deploys under load', () => {
  let host: TestHost;
  let project: Project;

  beforeAll(async () => {
    host = await startHost({ env: { STREAMLIT_HOST_SESSION_TTL_SECONDS: '2', STREAMLIT_HOST_DEPLOYS: '2' } });
    project = await Project.create({ 'app.py': app(0), 'requirements.txt': 'streamlit\n' });
    await pushLive(project, host, 'load');
  });

  it(
    'fail no request, lose no session, and leave no process once their pages are closed',
    { timeout: 600_000 },
    async () => {
      const url = `${host.url}/apps/load/`;
      const liveRelease = async (): Promise<number> =>
        ((await (await fetch(`${url}_host/live`)).json()) as { live: number }).live;
      const visit = async (): Promise<Visitor> => {
        const release = await liveRelease();
        const client = await StreamlitClient.connect(url, { path: `/apps/load/~${release}` });
        return { client, release, count: 0 };
      };
      const look = async (visitor: Visitor): Promise<void> => {
        await visitor.client.run();
        visitor.count += 1;
        expect(visitor.client.text('count=')).toBe(String(visitor.count));
        expect(visitor.client.text('round=')).toBe(String(visitor.release - 1));
      };

      const visitors = await Promise.all(Array.from({ length: SESSIONS }, visit));
      await Promise.all(visitors.map(look));

      const failed: string[] = [];
      let asked = 0;
      let going = true;
      const asking = (async () => {
        const paths = ['', '_stcore/health', '_stcore/host-config', 'More'];
        const answers: Promise<void>[] = [];
        while (going) {
          const path = paths[asked++ % paths.length] ?? '';
          const ask = fetch(url + path, { headers: { accept: path === '' ? 'text/html' : '*/*' } });
          answers.push(
            ask.then(
              async (answer) => {
                await answer.arrayBuffer();
                if (answer.status !== 200) failed.push(`${path}: ${answer.status}`);
              },
              (error: unknown) => void failed.push(`${path}: ${String(error)}`),
            ),
          );
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
        await Promise.all(answers);
      })();

      for (let round = 1; round <= ROUNDS; round += 1) {
        await project.commit({ 'app.py': app(round) }, `Round ${round}`);
        await pushLive(project, host, 'load');
        // One visitor in each round leaves, and another one comes; the others stay with what they have.
        const leaving = visitors.shift();
        await leaving?.client.close();
        visitors.push(await visit());
        await Promise.all(visitors.map(look));
      }
      going = false;
      await asking;
      expect(failed).toEqual([]);
      expect(asked).toBeGreaterThan(ROUNDS * 5);
      expect(new Set(visitors.map((visitor) => visitor.release)).size).toBeGreaterThan(2);

      await Promise.all(visitors.map((visitor) => visitor.client.close()));
      await until('only the live process is left', async () => {
        const meta = (await (await host.api('/apps/load/deploys?per_page=100')).json()) as {
          deploys: { state: string }[];
        };
        return meta.deploys.every((deploy) => deploy.state !== 'draining');
      });
    },
  );
});
