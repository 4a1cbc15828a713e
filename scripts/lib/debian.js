import { lastLines, run, which } from './command.js';

/** What the tests need of Debian's packages: the programs, any of which will do, and the package that has one. */
const WANTED = [
  { programs: ['chromium', 'chromium-browser', 'google-chrome'], package: 'chromium', needed: true },
  // Shows pages in half the time; what only windows show is tested in the whole one.
  { programs: ['chromium-headless-shell'], package: 'chromium-headless-shell', needed: false },
  // In front of a server, for what only https shows. Who is not root need not have its folder on the path.
  { programs: ['nginx', '../sbin/nginx'], package: 'nginx-light', needed: true },
  // Apps run in its cages, and the tests look whether these hold.
  { programs: ['bwrap'], package: 'bubblewrap', needed: true },
  // Pushes large files as its users do.
  { programs: ['git-lfs'], package: 'git-lfs', needed: true },
  // Without it, the tests use the Valkey that set-up provides.
  { programs: ['redis-server'], package: 'redis-server', needed: false },
  // These bring services that nobody wants on their own machine only to run tests; without them, some tests are skipped.
  { programs: ['dockerd'], package: 'docker.io', needed: false, onlyInCi: true },
  { programs: ['docker-registry'], package: 'docker-registry', needed: false, onlyInCi: true },
  { programs: ['promtool'], package: 'prometheus', needed: false, onlyInCi: true },
];

/**
 * Installs what the tests need and this machine has not, where we are root.
 * @param {{ env: import('./command.js').Env, say: (line: string) => void, root?: boolean }} options
 *   root = whether we may install (default: whether we are)
 * @returns {Promise<string[]>} one sentence for each thing that is needed and still missing
 */
export async function ensureDebianPackages({ env, say, root = process.getuid?.() === 0 }) {
  const wanted = WANTED.filter(({ onlyInCi = false }) => !onlyInCi || env.CI === 'true');
  const missing = () => wanted.filter(({ programs }) => which(programs, env) === undefined);
  const before = missing();
  const apt = which(['apt-get'], env);
  if (before.length > 0 && root && apt !== undefined) {
    const names = before.map((wanted) => wanted.package);
    say(`Installing ${names.join(' and ')} (once) …`);
    const quiet = { ...env, DEBIAN_FRONTEND: 'noninteractive' };
    await run(apt, ['-q', 'update'], { env: quiet });
    const args = ['-q', 'install', '-y', '--no-install-recommends', ...names];
    const { code, output } = await run(apt, args, { env: quiet });
    if (code !== 0) say(`apt-get could not install ${names.join(' and ')}:\n${lastLines(output)}`);
  }
  return missing()
    .filter((wanted) => wanted.needed)
    .map(({ package: name }) => `The tests need ${name}. Run "apt-get install ${name}" as root, then run them again.`);
}
