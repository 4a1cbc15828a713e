import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ensureDebianPackages } from '../../../scripts/lib/debian.js';

let bin: string;
let said: string[];
const say = (line: string): void => void said.push(line);

beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), 'debian-'));
  said = [];
});
afterEach(() => rm(bin, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, name), 0o755);
}

/** An apt-get that writes down how it was called, and installs what it is told to. */
async function apt(exitCode = 0): Promise<void> {
  const programs = ['chromium', 'bwrap', 'nginx', 'git-lfs'].map((name) => `"${bin}/${name}"`).join(' ');
  const install = `case "$2" in install) for program in ${programs}; do : > "$program"; /bin/chmod 755 "$program"; done;; esac`;
  const lines = [
    `echo "$DEBIAN_FRONTEND $*" >> "${bin}/calls"`,
    exitCode === 0 ? install : 'echo no network',
    `exit ${exitCode}`,
  ];
  await program('apt-get', lines.join('\n'));
}

it('the Debian packages that the tests need are left alone if they are installed', async () => {
  for (const name of ['chromium', 'chromium-headless-shell']) await program(name, 'exit 0');
  await program('bwrap', 'exit 0');
  await program('nginx', 'exit 0');
  await program('git-lfs', 'exit 0');
  await program('redis-server', 'exit 0');
  await apt();
  expect(await ensureDebianPackages({ env: { PATH: bin }, say, root: true })).toEqual([]);
  await expect(readFile(join(bin, 'calls'))).rejects.toThrow('ENOENT');
  expect(said).toEqual([]);
});

it('the Debian packages that the tests need are installed by root without a question', async () => {
  await apt();
  expect(await ensureDebianPackages({ env: { PATH: bin }, say, root: true })).toEqual([]);
  expect((await readFile(join(bin, 'calls'), 'utf8')).trim().split('\n')).toEqual([
    'noninteractive -q update',
    'noninteractive -q install -y --no-install-recommends chromium chromium-headless-shell nginx-light bubblewrap git-lfs redis-server',
  ]);
  expect(said).toEqual([
    'Installing chromium and chromium-headless-shell and nginx-light and bubblewrap and git-lfs and redis-server (once) …',
  ]);
});

it('the Debian packages that the tests need are named in a sentence to other users', async () => {
  await apt();
  const missing = await ensureDebianPackages({ env: { PATH: bin }, say, root: false });
  expect(missing).toEqual(
    ['chromium', 'nginx-light', 'bubblewrap', 'git-lfs'].map(
      (name) => `The tests need ${name}. Run "apt-get install ${name}" as root, then run them again.`,
    ),
  );
  await expect(readFile(join(bin, 'calls'))).rejects.toThrow('ENOENT');
});

it('the Debian packages that the tests need stay missing if apt-get fails, and its own words are shown', async () => {
  await apt(100);
  expect(await ensureDebianPackages({ env: { PATH: bin }, say, root: true })).toHaveLength(4);
  expect(said.at(-1)).toBe(
    'apt-get could not install chromium and chromium-headless-shell and nginx-light and bubblewrap and git-lfs and redis-server:\n  no network',
  );
});

it('the Debian packages that bring services are only installed in CI', async () => {
  await apt();
  expect(await ensureDebianPackages({ env: { PATH: bin, CI: 'true' }, say, root: true })).toEqual([]);
  expect((await readFile(join(bin, 'calls'), 'utf8')).trim()).toMatch(
    / redis-server docker\.io docker-registry prometheus$/,
  );
});
