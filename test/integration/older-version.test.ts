import { expect, test } from 'vitest';
import { isRunning } from '../../src/runtime/process/proc.js';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { hasCommit, olderVersion } from '../helpers/older.js';
import { OPENED } from '../helpers/forms.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { ask } from '../helpers/web.js';

/** The last version before the rooms were redrawn: 0.1.0 as it was in use. */
const OLDER = 'e3ec24350f66';

const COUNTER = `import streamlit as st
st.session_state.count = st.session_state.get("count", 0) + 1
st.text(f"count {st.session_state.count}")
`;

async function running(host: TestHost, id: string): Promise<number> {
  return until(`${id} runs`, async () => {
    const app = await host.app(id);
    return app.state === 'running' && Number(app.pid);
  });
}

const known = await hasCommit(OLDER);

test.skipIf(!known)(
  `running apps of the previous version are adopted, kept and deployed to${known ? '' : ' (the history of this clone does not reach back to it)'}`,
  async () => {
    const older = await startHost({ program: await olderVersion(OLDER) });
    const project = await Project.create({ 'app.py': COUNTER, 'requirements.txt': 'streamlit\n' });
    await pushLive(project, older, 'counter');
    const changed = await older.send('PATCH', '/apps/counter/config', { vars: { GREETING: 'hello' } });
    expect(changed.status).toBe(200);
    const pid = await until('the config is applied', async () => {
      const app = await older.app('counter');
      return app.release === 2 && app.state === 'running' && Number(app.pid);
    });
    const page = await StreamlitClient.connect(`${older.url}/apps/counter/`);
    await page.run();
    await page.run();
    expect(page.text('count ')).toBe('2');
    const before = await until('nothing is under way any more', async () => {
      const meta = await readMeta(older, 'counter');
      return (meta.releases as { state: string }[]).every(({ state }) => state !== 'draining') && meta;
    });
    const [process] = before.processes as { startTime: string }[];
    const identity = { pid, startTime: process?.startTime ?? '' };
    const login = await ask(older.loginUrl, { headers: OPENED });
    const [cookie = ''] = login.headers['set-cookie']?.[0]?.split(';') ?? [];
    // kill -9: nothing is handed over but what is on disk.
    await older.signal('SIGKILL');
    expect(isRunning(identity)).toBe(true);

    const newer = await startHost({ data: older.data });
    expect(await running(newer, 'counter')).toBe(pid);
    const same = await StreamlitClient.connect(`${newer.url}/apps/counter/`, { session: page.session });
    await same.run();
    expect(same.text('count ')).toBe('3');
    const { updatedAt: _updated, processes: _processes, ...kept } = before;
    expect(await readMeta(newer, 'counter')).toMatchObject(kept);
    const config = await newer.api('/apps/counter/config?reveal=1');
    expect(await config.json()).toMatchObject({ vars: [{ name: 'GREETING', value: 'hello' }] });
    await same.close();

    // There are accounts now. What was public is public, who was logged in is logged in, and that is said once.
    expect(await (await newer.api('/apps/counter/access')).json()).toMatchObject({ opens: 'public', roles: [] });
    expect((await ask(`${newer.url}/apps/counter/`, { headers: { accept: 'text/html' } })).status).toBe(200);
    expect((await ask(`${newer.url}/console/`, { headers: { accept: 'text/html', cookie } })).status).toBe(200);
    expect(newer.output.match(/Existing apps stay public/g)).toHaveLength(1);

    // What the older version has stored goes on: a push on top of its branch, and a rollback to its release.
    await project.commit({ 'app.py': `${COUNTER}st.text("newer")\n` }, 'Say newer');
    await pushLive(project, newer, 'counter');
    expect((await newer.app('counter')).release).toBe(3);
    const back = await newer.send('POST', '/apps/counter/rollback', { release: 1 });
    expect(back.status).toBe(202);
    await until('the rollback is live', async () => (await newer.app('counter')).release === 4);
    await newer.stop({ keepData: true });
    const again = await startHost({ data: older.data });
    expect(again.output).not.toContain('Existing apps stay public');
  },
);
