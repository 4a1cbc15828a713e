// npm pack (prepack and postpack): a package holds what was built, and the exact versions of all that it needs.
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { main, ROOT, setUp } from './lib/setup.js';

// npm publishes no package-lock.json; this is the same under a name that it does
// (https://docs.npmjs.com/cli/configuring-npm/npm-shrinkwrap-json).
const versions = join(ROOT, 'npm-shrinkwrap.json');

await main(async () => {
  if (process.argv[2] === 'end') return rmSync(versions, { force: true });
  // Standard output is npm's: a script reads the package's name there.
  await setUp({ tools: false, say: (line) => console.error(line) });
  copyFileSync(join(ROOT, 'package-lock.json'), versions);
});
