// npm run bench -- neighbours [seconds]: what an app that takes all it can get does to the apps beside it. Two neighbours are asked
// for pages, which the gateway serves, and for the health check, which their processes answer, and one of them is pushed to: first
// while nothing else happens, then beside each hungry app. Machines are shared and noisy, so each is compared with the quiet time
// right before it: read the ratios. It says what the hungry app's people are told.
import { writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchHost } from './lib/host.js';

/** How many requests a second each of the neighbours gets, of each kind. */
const RATE = 20;
const NEIGHBOURS = ['north', 'south'];
const KINDS = { page: '', process: '_stcore/health' };
/** How long a request may take, in ms; it counts with that where it fails. */
const LIMIT_MS = 30_000;
/** How much larger the 99th percentile may be. */
const GOAL = 3;
/** How long (s) a hungry app is hungry at most, in addition to both measurements: it is pushed before the first. */
const HUNGRY_S = 60;
const seconds = Number(process.argv[2] ?? 20);
if (!(seconds > 0)) throw new Error('Name the number of seconds for each measurement.');

/** What each does once it is told to, in a thread or in processes of its own. */
const HUNGRY = {
  'four spinners': `
for _ in range(4):
    subprocess.Popen([sys.executable, "-c", """
import time
while True: pass
"""], start_new_session=True)`,
  'memory, in a session of its own': `
subprocess.Popen([sys.executable, "-c", """
import time
kept = []
while True:
    kept.append(bytearray(b'x') * 20_000_000)
    time.sleep(0.02)
"""], start_new_session=True)`,
  'fork bomb': `
subprocess.Popen([sys.executable, "-c", """
import os, time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
"""], start_new_session=True)`,
  'log flood': `
while True:
    sys.stdout.write("x" * 1_000 + "\\n")`,
  'one endless line': `
while True:
    sys.stdout.write("x" * 65_536)`,
  'writes to the disk': `
at = os.path.expanduser("~/large")
while True:
    with open(at, "wb") as file:
        for _ in range(64):
            file.write(bytes(4_000_000))
            file.flush()
            os.fsync(file.fileno())`,
  'opens files': `
kept = []
while True:
    try:
        kept.append(open("/dev/null"))
    except OSError:
        time.sleep(0.01)`,
};

const host = await BenchHost.start({ STREAMLIT_HOST_MEMORY_LIMIT_MB: '400' });
try {
  const projects = {};
  for (const name of NEIGHBOURS) {
    projects[name] = await host.project(app('pass'));
    await host.push(projects[name], name);
  }
  const rows = [];
  for (const [name, hunger] of Object.entries(HUNGRY)) {
    const id = name.replace(/[^a-z]+/g, '-');
    await host.push(await host.project(app(hunger)), id);
    const quiet = await measure(projects.north);
    await writeFile(join(host.data, 'apps', id, 'storage', 'go'), '');
    // It has begun, and whatever limits it has seen it.
    await sleep(2_000);
    const loud = await measure(projects.north);
    const { state, reason } = await host.ask('GET', `/apps/${id}`);
    const said = await lastLine(id);
    await host.ask('DELETE', `/apps/${id}?confirm=${id}`);
    rows.push({ name, quiet, loud, state: [state, reason].filter(Boolean).join(': '), said });
    show(rows.at(-1));
  }
  const worst = Math.max(
    ...rows.flatMap(({ quiet, loud }) => Object.keys(KINDS).map((kind) => loud[kind] / quiet[kind])),
  );
  const refused = rows.filter(({ loud }) => Number.isNaN(loud.push)).length;
  console.log(
    `\nworst ratio of the 99th percentile: ${worst.toFixed(1)} (goal ${GOAL}); pushes beside that failed: ${refused}`,
  );
} finally {
  await host.stop();
}

/** @returns the 99th percentiles in ms of each kind, how many failed, and how long a push took */
async function measure(project) {
  const times = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, []]));
  let failed = 0;
  const ask = async (kind, name, agent) => {
    const begun = performance.now();
    const ok = await request(`${host.url}/apps/${name}/${KINDS[kind]}`, agent);
    times[kind].push(ok ? performance.now() - begun : LIMIT_MS);
    if (!ok) failed += 1;
  };
  const agent = new Agent({ keepAlive: true });
  const asked = [];
  const end = performance.now() + seconds * 1_000;
  while (performance.now() < end) {
    for (const kind of Object.keys(KINDS)) for (const name of NEIGHBOURS) asked.push(ask(kind, name, agent));
    await sleep(1_000 / RATE);
  }
  await Promise.all(asked);
  agent.destroy();
  const result = { failed };
  for (const [kind, all] of Object.entries(times)) result[kind] = percentile(all, 0.99);
  // By itself, since a deploy takes the processor from requests too.
  await host.commit(project, app(`pass  # ${performance.now()}`));
  result.push = await host.push(project, NEIGHBOURS[0]).catch((error) => (console.error(error.message), NaN));
  return result;
}

function show({ name, quiet, loud, state, said }) {
  const row = (what, unit = 'ms') =>
    `  ${what.padEnd(10)} ${quiet[what].toFixed(1).padStart(9)} ${loud[what].toFixed(1).padStart(9)} ${unit}   ${(loud[what] / quiet[what]).toFixed(2)} x`;
  console.log(`\n${name} (quiet, beside it)`);
  for (const kind of Object.keys(KINDS)) console.log(row(kind));
  console.log(row('push'));
  console.log(`  failed requests: ${quiet.failed}, ${loud.failed}; the app is ${state}`);
  console.log(`  its log ends with: ${said.slice(0, 200)}`);
}

/** The last line of an app's log that is not the app's own. */
async function lastLine(id) {
  const { lines = [] } = await host.ask('GET', `/apps/${id}/logs?tail=200`).catch(() => ({}));
  return lines.findLast((line) => !line.includes('xxx')) ?? 'nothing';
}

function request(url, agent) {
  return new Promise((resolve) => {
    const asked = get(url, { agent, timeout: LIMIT_MS }, (answer) => {
      answer.resume();
      answer.once('error', () => resolve(false));
      answer.once('end', () => resolve(answer.statusCode === 200));
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', () => resolve(false));
  });
}

function percentile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** An app that waits for a file in its storage, and then does something in a thread. */
function app(hunger) {
  const text = `import os, threading, time
import streamlit as st

def feed():
    while not os.path.exists(os.path.expanduser("~/go")):
        time.sleep(0.1)
    with open(os.path.join(os.path.dirname(__file__), "hunger.py")) as file:
        exec(compile(file.read(), "hunger.py", "exec"), {})

@st.cache_resource
def begin():
    threading.Thread(target=feed, daemon=True).start()

begin()
st.text("here")
`;
  // It ends by itself, whatever becomes of this benchmark: a fork bomb is not to be left to a machine.
  const end = Math.round(Date.now() / 1_000) + HUNGRY_S + 2 * seconds;
  const code = `import os, subprocess, sys, time\n${hunger.trim().replaceAll('while True', `while time.time() < ${end}`)}\n`;
  return { 'app.py': text, 'hunger.py': code, 'requirements.txt': 'streamlit\n' };
}
