import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { SystemPackages, type SystemPackagesOptions } from '../../src/environments/system-packages.js';
import { startHost } from '../helpers/host.js';
import { scratch } from '../helpers/ends.js';
import { Project, textApp } from '../helpers/project.js';

const debian = existsSync('/usr/bin/dpkg-query');
const root = process.getuid?.() === 0;

/** Small, needs nothing, and no machine needs it. */
const PACKAGE = 'hello';
/** Another one that cannot be there beside it. */
const OTHER = 'hello-traditional';

async function provide(names: string[], options: Partial<SystemPackagesOptions> = {}): Promise<string[]> {
  const heard: string[] = [];
  const packages = new SystemPackages({ path: process.env.PATH ?? '', install: false, as: [], ...options });
  await packages.provide({ names, onLine: (line) => void heard.push(line) });
  return heard;
}

function remove(): void {
  execFileSync('apt-get', ['purge', '--yes', '--quiet', PACKAGE, OTHER], { stdio: 'ignore' });
}

describe('packages.txt', () => {
  it.runIf(debian)('is satisfied by installed packages, and refused with the names of missing ones', async () => {
    expect(await provide([])).toEqual([]);
    expect(await provide(['dpkg', 'base-files'])).toEqual(['packages.txt: already installed: dpkg, base-files']);
    await expect(provide(['dpkg', 'no-such-package-of-ours'])).rejects.toMatchObject({
      code: 'packages-missing',
      message: expect.stringMatching(/^packages\.txt lists no-such-package-of-ours, which is not installed/) as string,
    });
  });

  it('is not checked without dpkg, and the log says so', async () => {
    expect(await provide(['ffmpeg'], { path: await scratch('no-dpkg-'), install: true })).toEqual([
      'packages.txt was not checked: dpkg-query is not installed, or not on PATH.',
    ]);
  });
});

describe.runIf(debian && root)('packages.txt, if the operator allows installs (as root on Debian)', () => {
  afterAll(remove);

  it('installs missing packages, once for two deploys that want them, and nothing the second time', async () => {
    remove();
    const packages = new SystemPackages({ path: process.env.PATH ?? '', install: true, as: [] });
    const heard: string[] = [];
    const wanted = { names: ['dpkg', PACKAGE], onLine: (line: string): void => void heard.push(line) };
    await Promise.all([packages.provide(wanted), packages.provide(wanted)]);
    expect(heard.filter((line) => line.startsWith('packages.txt: installing'))).toEqual([
      `packages.txt: installing ${PACKAGE}`,
    ]);
    expect(execFileSync(PACKAGE, { encoding: 'utf8' })).toContain('Hello');
    expect(await provide([PACKAGE], { install: true })).toEqual([`packages.txt: already installed: ${PACKAGE}`]);
  });

  it("says in apt-get's own words why it failed", async () => {
    await expect(provide(['no-such-package-of-ours'], { install: true })).rejects.toMatchObject({
      code: 'packages-not-installed',
      message:
        'Could not install no-such-package-of-ours from packages.txt: unable to locate package no-such-package-of-ours.',
    });
  });

  it.each([
    ['a name that apt-get takes for a removal', `${PACKAGE}-`, 'remove is disabled'],
    [
      'a name that apt-get takes for a pattern',
      'hello-trad.tional',
      "couldn't find any package by glob 'hello-trad.tional'",
    ],
    ['what can only be there instead of another one', OTHER, 'remove is disabled'],
  ])('removes nothing, and installs only what is listed: %s', async (_, name, why) => {
    await provide([PACKAGE], { install: true });
    await expect(provide([name], { install: true })).rejects.toMatchObject({
      code: 'packages-not-installed',
      message: expect.stringContaining(why) as string,
    });
    expect(await provide([PACKAGE])).toEqual([`packages.txt: already installed: ${PACKAGE}`]);
  });

  it("lets a push install what its app needs, with the output in the pusher's terminal", async () => {
    remove();
    const host = await startHost({ env: { STREAMLIT_HOST_SYSTEM_PACKAGES: 'install' } });
    const project = await Project.create({ ...textApp('needs'), 'packages.txt': `${PACKAGE} # greets\n` });
    const { code, output } = await project.git('push', host.remote('needs'), 'main');
    expect(code, output).toBe(0);
    expect(output).toContain(`packages.txt: installing ${PACKAGE}`);
    expect(output).toMatch(/Setting up hello/);
  });
});
