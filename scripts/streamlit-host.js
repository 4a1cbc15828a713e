#!/usr/bin/env node
// The command line. It talks to a server; only a fresh clone has something to be set up first, and only `start` runs one.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lackOfFiles } from './lib/limits.js';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const cli = new URL('../dist/cli/main.js', import.meta.url);

// Set-up is loaded where it is needed: the command must start at once.
async function withSetUp(work) {
  const setup = await import('./lib/setup.js');
  await setup.main(() => work(setup));
}

const lack = lackOfFiles();
if (lack !== undefined) {
  console.error(`streamlit-host: ${lack}`);
  process.exit(1);
}
// After an update, the server must not share a process with modules of the version before, which the command line has loaded.
const updates = process.argv[2] === 'start' && existsSync(join(checkout, 'src'));
if (!existsSync(cli) || updates) {
  // Standard output is the command's own.
  await withSetUp(({ setUp }) => setUp({ tools: false, say: (line) => console.error(line) }));
}
if (process.exitCode === undefined) {
  const { run } = await import(cli.href);
  await run(process.argv, {
    root: existsSync(join(checkout, 'src')) ? checkout : homeOf(process.env),
    command: [process.execPath, fileURLToPath(import.meta.url)],
    async prepare({ env, say, load }) {
      const [{ setUp, SetupError }, { Refusal }] = await Promise.all([
        import('./lib/setup.js'),
        import('../dist/errors.js'),
      ]);
      const built = load ? async () => (await import('../dist/main.js')).load() : undefined;
      await setUp({ env, say, built }).catch((error) => {
        throw error instanceof SetupError ? new Refusal('unavailable', 'set-up-failed', error.message) : error;
      });
    },
    async serve(how) {
      const { main } = await import('../dist/main.js');
      await main(how);
    },
  });
}

/**
 * Where a package from npm keeps its data: it may be anywhere, also where nobody can write
 * (https://specifications.freedesktop.org/basedir-spec/latest/).
 */
function homeOf({ XDG_DATA_HOME: data, HOME: home }) {
  if (data?.startsWith('/')) return join(data, 'streamlit-host');
  return home?.startsWith('/') ? join(home, '.local/share/streamlit-host') : undefined;
}
