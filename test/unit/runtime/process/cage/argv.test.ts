import { describe, expect, it } from 'vitest';
import { homeOf, inBubblewrap } from '../../../../../src/runtime/process/cage/bubblewrap.js';
import { inLandlock } from '../../../../../src/runtime/process/cage/landlock.js';
import { isWithin } from '../../../../../src/lib/within.js';
import { parentsOf, type CageSpec, type Machine } from '../../../../../src/runtime/process/cage/spec.js';

const machine: Machine = {
  root: true,
  bubblewrap: '/usr/bin/bwrap',
  inner: '/srv/host/python/cage.py',
  hidden: ['/srv/data'],
  system: {
    links: new Map([['/bin', 'usr/bin']]),
    folders: ['/usr', '/etc', '/run/systemd/resolve'],
    readable: ['/usr', '/etc/fonts', '/run/systemd/resolve'],
  },
};

const spec: CageSpec = {
  command: ['/srv/data/environments/abc/bin/python', '/srv/host/python/launch.py', 'demo'],
  cwd: '/srv/data/apps/demo/releases/1/source',
  environment: { PATH: '/usr/bin', SECRET: 'do-not-show' },
  python: '/root/.pyenv/versions/3.12.1/bin/python3.12',
  readOnly: ['/srv/data/environments/abc', '/srv/data/apps/demo/releases', '/srv/host/python'],
  writable: ['/srv/data/apps/demo/storage'],
  tmp: '/srv/data/apps/demo/storage/.tmp',
  uid: 1_879_048_193,
};

/** The places of what is bound or made, in order. */
function mounts(argv: readonly string[]): string[] {
  return argv.flatMap((word, at) => {
    const target = argv[word === '--dir' || word === '--tmpfs' ? at + 1 : at + 2] ?? '';
    return ['--dir', '--tmpfs', '--bind-try', '--ro-bind-try', '--symlink'].includes(word)
      ? `${word.slice(2)} ${target}`
      : [];
  });
}

describe('a bubblewrap cage', () => {
  const { command, order } = inBubblewrap(spec, machine);

  it('shows the listed paths, read-only or not, and no folder around them', () => {
    const shown = mounts(command);
    expect(shown).toContain('ro-bind-try /srv/data/environments/abc');
    expect(shown).toContain('ro-bind-try /srv/data/apps/demo/releases');
    expect(shown).toContain('bind-try /srv/data/apps/demo/storage');
    expect(shown).toContain('ro-bind-try /root/.pyenv/versions/3.12.1');
    expect(shown).toContain('symlink /bin');
    for (const folder of ['/', '/srv', '/srv/data', '/srv/data/apps', '/root', '/srv/host'])
      expect(shown.filter((mount) => mount.includes('bind'))).not.toContainEqual(expect.stringMatching(` ${folder}$`));
  });

  it('creates parent folders so that other users can pass through them', () => {
    const at = command.indexOf('/srv/data/apps');
    expect(command.slice(at - 3, at + 1)).toEqual(['--perms', '0755', '--dir', '/srv/data/apps']);
    expect(mounts(command)).toContain('dir /run/systemd');
    expect(mounts(command)).toContain('dir /root/.pyenv/versions');
  });

  it('mounts outer folders before inner ones, and ends with a read-only root', () => {
    const shown = mounts(command).filter((mount) => !mount.startsWith('symlink'));
    const depths = shown.map((mount) => mount.split('/').length);
    expect(depths).toEqual([...depths].sort((a, b) => a - b));
    expect(command.indexOf('--remount-ro')).toBeGreaterThan(command.lastIndexOf('--ro-bind-try'));
  });

  it("keeps only the capabilities with which the last step becomes the app's user", () => {
    expect(command.slice(command.indexOf('--cap-drop'), command.indexOf('--symlink'))).toEqual(
      '--cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP'.split(' '),
    );
    expect(JSON.parse(order)).toMatchObject({ uid: spec.uid, argv: spec.command, landlock: null });
  });

  it('uses a user namespace if the server is not root, and allows no nested one', () => {
    const argv = inBubblewrap({ ...spec, uid: undefined }, { ...machine, root: false });
    expect(argv.command).toEqual(expect.arrayContaining(['--unshare-user', '--disable-userns']));
    expect(argv.command).not.toContain('--cap-add');
    expect(JSON.parse(argv.order)).not.toHaveProperty('uid');
  });

  it('has no network where its spec says so', () => {
    expect(command).not.toContain('--unshare-net');
    expect(inBubblewrap({ ...spec, network: false }, machine).command).toContain('--unshare-net');
  });

  it('shows devices as such, after the standard ones, and joins their groups', () => {
    const { command: argv, order: told } = inBubblewrap(
      { ...spec, devices: { paths: ['/dev/dri', '/dev/nvidia0'], groups: [44, 105] } },
      machine,
    );
    const at = argv.indexOf('--dev-bind-try');
    expect(argv.slice(at, at + 6)).toEqual(
      ['/dev/dri', '/dev/nvidia0'].flatMap((path) => ['--dev-bind-try', path, path]),
    );
    expect(at).toBeGreaterThan(argv.indexOf('--dev'));
    expect(JSON.parse(told)).toMatchObject({ groups: [44, 105] });
    expect(JSON.parse(order)).toMatchObject({ groups: [] });
  });

  it('outlives the server, and passes variables on where nobody sees them', () => {
    expect(command).not.toContain('--die-with-parent');
    expect(command.join(' ')).not.toContain('do-not-show');
    expect(JSON.parse(order)).toMatchObject({ environment: spec.environment });
  });

  it("runs the machine's Python for the last step, which ignores variables and packages", () => {
    expect(command.slice(command.indexOf('--') + 1)).toEqual([spec.python, '-I', '-S', machine.inner]);
  });

  it("hides the server's data in a folder that is shown, and shows its listed parts", () => {
    const shown = mounts(inBubblewrap({ ...spec, readOnly: ['/srv', ...spec.readOnly] }, machine).command);
    expect(shown.indexOf('tmpfs /srv/data')).toBeGreaterThan(shown.indexOf('ro-bind-try /srv'));
    expect(shown.indexOf('bind-try /srv/data/apps/demo/storage')).toBeGreaterThan(shown.indexOf('tmpfs /srv/data'));
  });
});

describe('a Landlock cage', () => {
  const { command, order } = inLandlock(spec, machine);
  const { landlock } = JSON.parse(order) as {
    landlock: { read: string[]; write: string[]; unlisted: string[] };
  };

  it('allows the listed paths, and otherwise only system folders', () => {
    expect(command).toEqual([spec.python, '-I', '-S', machine.inner]);
    expect(landlock.read).toEqual(expect.arrayContaining(['/usr', '/etc/fonts', '/proc', ...spec.readOnly]));
    // What root could read there is more than what everybody can.
    for (const path of ['/etc', '/dev']) expect([...landlock.read, ...landlock.write]).not.toContain(path);
    expect(landlock.write).toEqual(expect.arrayContaining(['/dev/null', '/srv/data/apps/demo/storage']));
    expect(landlock.write).not.toContain('/proc');
    // Other apps' shared memory is there, too.
    expect(landlock.write).not.toContain('/dev/shm');
    expect(landlock.unlisted).toEqual(['/dev/shm']);
  });

  it('allows devices', () => {
    const told = inLandlock({ ...spec, devices: { paths: ['/dev/dri'], groups: [] } }, machine).order;
    const { write } = (JSON.parse(told) as { landlock: { write: string[] } }).landlock;
    expect(write).toEqual(expect.arrayContaining(['/dev/dri', '/dev/null']));
  });

  it("does not allow a folder that contains the server's data", () => {
    const wide = inLandlock({ ...spec, readOnly: ['/srv', '/srv/data', ...spec.readOnly] }, machine);
    const { read } = (JSON.parse(wide.order) as { landlock: { read: string[] } }).landlock;
    expect(read).not.toContain('/srv');
    expect(read).not.toContain('/srv/data');
    expect(read).toContain('/srv/data/environments/abc');
  });
});

describe('paths', () => {
  it('are either in a folder or not', () => {
    expect([isWithin('/a/b', '/a'), isWithin('/a', '/a'), isWithin('/ab', '/a'), isWithin('/a', '/')]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(parentsOf('/a/b/c')).toEqual(['/a', '/a/b']);
    expect(homeOf('/usr/bin/python3.12')).toBe('/usr');
  });
});
