// npm run pack [-- FOLDER]: makes streamlit-host-<version>.tgz, for other machines to `npm install -g`, and prints its path.
// The package is laid out in a folder of its own. It holds the program with all of its libraries, so npm installs nothing else.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { lastLines, run } from './lib/command.js';
import { main, ROOT, setUp, SetupError } from './lib/setup.js';

/** What belongs into every package, whether package.json lists it or not. */
const ALWAYS = ['LICENSE', 'README.md'];

await main(async () => {
  const to = resolve(process.argv[2] ?? '.');
  // Standard output is the package's path: a script reads it there.
  await setUp({ tools: false, say: (line) => console.error(line) });
  const work = mkdtempSync(join(tmpdir(), 'streamlit-host-pack-'));
  try {
    layOut(work);
    mkdirSync(to, { recursive: true });
    // None of its scripts: this is one.
    const args = ['pack', work, '--pack-destination', to, '--ignore-scripts', '--json'];
    const { code, stdout, output } = await run('npm', args, { cwd: ROOT });
    if (code !== 0) throw new SetupError(`npm could not make the package:\n${lastLines(output)}`);
    console.log(join(to, JSON.parse(stdout)[0].filename));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});

/** @param {string} folder */
function layOut(folder) {
  const facts = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  // What only a checkout has a use for, and the libraries, which the build has put into dist.
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'overrides']) delete facts[key];
  for (const file of [...ALWAYS, ...facts.files.filter((name) => !name.startsWith('!'))]) {
    if (!existsSync(join(ROOT, file))) throw new SetupError(`The package lacks ${file}.`);
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(facts, undefined, 2)}\n`);
}
