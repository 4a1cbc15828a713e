import { beforeAll, describe, expect, test } from 'vitest';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startHost, TOKEN, type TestHost } from '../helpers/host.js';
import { ask, type Answer } from '../helpers/web.js';
import { Person } from '../helpers/person.js';
import { OPENED, shownForm } from '../helpers/forms.js';

const PASSWORD = 'correct horse battery';

let host: TestHost;
let person: Person;
let ada: string;

beforeAll(async () => {
  host = await startHost();
  person = await Person.of(host);
  await host.send('POST', '/apps', { name: 'Secret' });
  const made = await host.send('POST', '/users', { email: 'ada@example.com', name: 'Ada', groups: ['sales'] });
  ada = await acceptLink(((await made.json()) as { invitation: { url: string } }).invitation.url);
});

/** Opens an invitation link and chooses a password. @returns the cookie of the session */
async function acceptLink(link: string): Promise<string> {
  const url = new URL(link.trim());
  const answer = await post('/console/join', { code: url.searchParams.get('code') ?? '', password: PASSWORD });
  expect(answer.status).toBe(303);
  return cookieOf(answer);
}

/** Sends a form as a page does: what a script sends is refused. */
function post(path: string, fields: Record<string, string>): Promise<Answer> {
  const url = `${host.url}${path}`;
  return ask(url, shownForm(url, fields));
}

const cookieOf = (answer: Answer): string => answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
const logIn = (email: string): Promise<Answer> => post('/console/login', { email, password: PASSWORD });

/** Opens a page as a browser does. */
const open = (path: string, cookie: string): Promise<Answer> =>
  ask(`${host.url}${path}`, { headers: { cookie, accept: 'text/html' } });

describe('a member in the console', () => {
  test('sees neither the apps of others nor what is for admins', async () => {
    const apps = await open('/console/', ada);
    expect(apps.status).toBe(200);
    const page = apps.text;
    expect(page).not.toContain('Secret');
    expect(page).toContain('ada@example.com');
    expect(page).not.toContain('/console/people');
    expect((await open('/console/people', ada)).status).toBe(403);
    for (const tab of ['', '/logs', '/deploys', '/files', '/config', '/settings', '/delete', '/new-file']) {
      const secret = await open(`/console/apps/secret${tab}`, ada);
      const none = await open(`/console/apps/no-such-app${tab}`, ada);
      expect([secret.status, none.status], tab).toEqual([404, 404]);
      expect(secret.text.replaceAll('secret', 'no-such-app'), tab).toBe(none.text);
    }
    expect((await open('/console/account', ada)).status).toBe(200);
  });

  test('changes nothing there, even with a form token of their own session', async () => {
    const [, csrf = ''] = /<meta name="csrf" content="([^"]+)">/.exec((await open('/console/', ada)).text) ?? [];
    for (const path of ['/console/apps/secret/delete', '/console/apps/secret/stop', '/console/people']) {
      const answer = await fetch(`${host.url}${path}`, {
        method: 'POST',
        headers: { cookie: ada, origin: host.url, 'x-csrf-token': csrf },
        body: new URLSearchParams({ confirm: 'secret', email: 'eve@example.com' }),
        redirect: 'manual',
      });
      expect(answer.status, path).toBe(path === '/console/people' ? 403 : 404);
    }
    expect((await host.api('/apps/secret')).status).toBe(200);
    expect((await host.api('/users/eve@example.com')).status).toBe(404);
  });
});

describe('the command line', () => {
  test('lists accounts, and prints each as JSON for scripts', async () => {
    const { stdout, code } = await person.run(['user', 'list']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /EMAIL +ROLE +STATE +LAST LOGIN +GROUPS +NAME\nada@example.com +member +active +\S+ +sales +Ada\n/,
    );
    const lines = (await person.run(['user', 'list', '--json'])).stdout.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { email: string }).email)).toEqual(['ada@example.com']);
  });

  test('sets groups, and adds an account by invitation or with a password from standard input', async () => {
    expect((await person.run(['user', 'groups', 'ada@example.com', 'sales,north'])).stdout).toBe('sales\nnorth\n');
    expect((await person.run(['user', 'groups', 'ada@example.com'])).stdout).toBe('sales\nnorth\n');
    const added = await person.run(['user', 'add', 'bob@example.com', '--password-stdin'], { input: `${PASSWORD}\n` });
    expect(added).toMatchObject({ code: 0, stdout: 'bob@example.com can log in now.\n' });
    expect((await logIn('bob@example.com')).status).toBe(303);
    const invited = await person.run(['user', 'add', 'carl@example.com', '--group', 'sales', '--admin']);
    expect(invited.stdout).toMatch(/^http:\S+\/console\/join\?code=[\w-]{32}\n$/);
    expect(invited.stderr).toContain('expires in 72 hours');
  });

  test('disables an account, whose sessions end at once, and enables it', async () => {
    const session = cookieOf(await logIn('bob@example.com'));
    expect((await open('/console/', session)).status).toBe(200);
    expect((await person.run(['user', 'disable', 'bob@example.com'])).code).toBe(0);
    expect((await open('/console/', session)).status).toBe(302);
    expect((await logIn('bob@example.com')).status).toBe(401);
    const invited = await person.run(['user', 'reset', 'bob@example.com']);
    expect(invited).toMatchObject({ code: 1 });
    expect(invited.stderr).toContain('bob@example.com is disabled. Enable it first.');
    expect((await person.run(['user', 'enable', 'bob@example.com'])).code).toBe(0);
    expect((await logIn('bob@example.com')).status).toBe(303);
  });

  test('lists the sessions of an account, and ends them', async () => {
    const cookie = cookieOf(await logIn('ada@example.com'));
    expect((await person.run(['user', 'sessions', 'ada@example.com'])).stdout).toMatch(/Another browser +127\.0\.0\.1/);
    expect((await person.run(['user', 'logout', 'ada@example.com'])).stdout).toContain(
      'All sessions of ada@example.com',
    );
    expect((await open('/console/', cookie)).status).toBe(302);
    expect((await person.run(['user', 'sessions', 'ada@example.com'])).stderr).toContain('is logged in nowhere');
  });

  test('resets a password with a link that works once', async () => {
    const link = (await person.run(['user', 'reset', 'bob@example.com'])).stdout;
    expect((await open(new URL(link).pathname + new URL(link).search, '')).status).toBe(200);
    await acceptLink(link);
    const again = await open(new URL(link).pathname + new URL(link).search, '');
    expect(again.status).toBe(410);
    expect(again.text).toContain('Ask <strong>admin</strong> for a new one.');
  });

  test('lists what was done, and finds an entry that was changed on the disk', async () => {
    await host.send('PUT', '/apps/secret/roles/group:audited', { role: 'viewer' });
    const listed = await person.run(['audit', '--app', 'secret', '--contains', 'audited']);
    expect(listed.stdout).toMatch(
      /admin +PUT \/apps\/\{id\}\/roles\/\{who\} +secret +group:audited viewer +127\.0\.0\.1 api +ok/,
    );
    expect((await person.run(['audit', 'verify'])).stdout).toMatch(/^The audit log is intact: \d+ entries/);
    const [file = ''] = (await readdir(join(host.data, 'audit'))).filter((name) => name.endsWith('.jsonl'));
    const path = join(host.data, 'audit', file);
    const before = await readFile(path, 'utf8');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await writeFile(path, before.replace('group:audited viewer', 'group:audited owner'));
    const { code, stderr } = await person.run(['audit', 'verify']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/The audit log is not intact: entry \d+ was changed\./)]);
    await writeFile(path, before);
  });

  test('stores that an app is for people with a role, and warns where nobody has one', async () => {
    await host.send('POST', '/apps', { name: 'Lonely' });
    const lonely = await person.run(['access', 'lonely', 'people']);
    expect(lonely).toMatchObject({ code: 0, stdout: 'lonely is open to people and groups with a role in it.\n' });
    expect(lonely.stderr).toContain('Nobody has a role in lonely. Only admins can open it.');
    expect(await (await host.api('/apps/lonely/access')).json()).toMatchObject({ opens: 'people', roles: [] });
    await host.send('PUT', '/apps/lonely/roles/group:sales', { role: 'viewer' });
    expect((await person.run(['access', 'lonely', 'people'])).stderr).not.toContain('Nobody');
  });

  test('says what is wrong with a command, and with an account that is missing', async () => {
    expect(await person.run(['user', 'add'])).toMatchObject({ code: 2 });
    expect(await person.run(['user', 'dance', 'ada@example.com'])).toMatchObject({ code: 2 });
    const missing = await person.run(['user', 'disable', 'eve@example.com']);
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.stderr).toContain('There is no account "eve@example.com".');
  });
});

test('accounts, their sessions and the session of the admin token survive a restart; no password is on disk', async () => {
  const link = await ask(host.loginUrl, { headers: OPENED });
  const admin = link.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const users = await readFile(join(host.data, 'users.json'), 'utf8');
  expect(users).not.toContain(PASSWORD);
  expect((await stat(join(host.data, 'users.json'))).mode & 0o777).toBe(0o600);
  // What an earlier version of the server reads of the sessions holds none of an account's.
  const stored = JSON.parse(await readFile(join(host.data, 'sessions.json'), 'utf8')) as Record<string, object[]>;
  expect(stored.sessions).toHaveLength(1);
  expect(stored.people?.length).toBeGreaterThan(0);

  await host.stop({ keepData: true });
  host = await startHost({ data: host.data });
  person = await Person.of(host);
  expect((await open('/console/', admin)).text).toContain('Secret');
  expect((await open('/console/', ada)).text).not.toContain('Secret');
  expect(host.output).not.toContain(PASSWORD);
  expect((await fetch(`${host.url}/api/users`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
});
