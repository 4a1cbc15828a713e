import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Cage, type CageOptions } from '../../../../src/runtime/process/cage/cage.js';
import { findDevices } from '../../../../src/runtime/process/cage/devices.js';
import type { CageSpec } from '../../../../src/runtime/process/cage/spec.js';
import { tryCage } from '../../../../src/runtime/process/cage/try.js';
import { usualPython } from '../../../../src/environments/pythons.js';
import { openCage } from '../../../../src/server/cage.js';
import { Paths } from '../../../../src/store/paths.js';
import { createLogger } from '../../../../src/logger.js';
import { endWithFile, scratch } from '../../../helpers/ends.js';
import { ROOT } from '../../../helpers/host.js';

const path = process.env.PATH ?? '';
const python = execFileSync('python3', ['-I', '-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();

async function open(options: Partial<CageOptions> = {}): Promise<Cage> {
  const data = await scratch('cage-');
  await chmod(data, 0o755);
  const inner = join(ROOT, 'python/cage.py');
  return Cage.open({ wish: 'auto', path, inner, data: [data], tmp: data, python, ...options });
}

/** PATH with a bubblewrap that does something else. */
async function withBubblewrap(script: string): Promise<string> {
  const folder = await scratch('bwrap-');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'bwrap'), `#!/bin/sh\ncd ${folder}\n${script}\n`, { mode: 0o755 });
  return [folder, path].join(delimiter);
}

describe.concurrent('the choice of a cage', () => {
  it.each([
    [
      'has no process left',
      'echo "bwrap: Creating new namespace failed: Resource temporarily unavailable" >&2; exit 1',
    ],
    ['has no memory left', 'echo "bwrap: mmap: Cannot allocate memory" >&2; exit 1'],
    ['kills what takes too much memory', 'kill -9 $$'],
    ['is so busy that the try takes too long', 'sleep 60'],
  ])('never falls back to a weaker one, or to none, where the machine %s', async (_name, script) => {
    await expect(open({ path: await withBubblewrap(script), limitMs: 300 })).rejects.toMatchObject({
      code: 'cage-untried',
      message: expect.stringContaining('Could not find out whether the bubblewrap cage works') as string,
    });
  });

  it('is made on another disk where the first one has become full', async () => {
    const fails = '[ -e tried ] || { touch tried; echo "No space left on device" >&2; exit 1; }';
    const full = { path: await withBubblewrap(`${fails}\nexec /bin/true`) };
    const cage = await open({ ...full, elsewhere: [await scratch('elsewhere-')] });
    // It was decided then: this stand-in is no cage.
    expect(cage.kind).toBe('landlock');
  });

  it('is made by another try where the first one came to no result', async () => {
    const fails = 'echo x >>tries; [ $(wc -l <tries) -gt 2 ] || { echo "Cannot allocate memory" >&2; exit 1; }';
    const cage = await open({ path: await withBubblewrap(`${fails}\nexec /bin/true`) });
    // It was decided then: this stand-in is no cage.
    expect(cage.kind).toBe('landlock');
  });

  it('is not made where the Python of the machine could not be asked', async () => {
    const data = await scratch('cage-');
    await writeFile(join(data, 'python3'), '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
    const config = { cage: 'auto' as const, path };
    const launcher = join(ROOT, 'python/launch.py');
    const opened = openCage({
      ...{ config, paths: new Paths(data), launcher, python: usualPython(join(data, 'python3'), {}) },
      logger: createLogger('silent'),
    });
    await expect(opened).rejects.toMatchObject({ code: 'python-unusable' });
  });

  it('is put off where the machine has no Python, and made once it has one', async () => {
    const data = await scratch('cage-');
    const config = { cage: 'auto' as const, path };
    const launcher = join(ROOT, 'python/launch.py');
    const installed = join(data, 'python3');
    const { cage, settle } = await openCage({
      ...{ config, paths: new Paths(data), launcher, python: usualPython(installed, {}) },
      logger: createLogger('silent'),
    });
    expect(cage).toMatchObject({ kind: 'none', isOpen: true });
    await expect(settle()).rejects.toMatchObject({
      code: 'cage-untried',
      message: expect.stringContaining('Install python3') as string,
    });
    await symlink(python, installed);
    await Promise.all([settle(), settle()]);
    expect(cage.isOpen).toBe(false);
    expect(cage.kind).toBe((await open()).kind);
  });

  it('is the next one where the machine does not allow the first', async () => {
    const script = 'echo "bwrap: No permissions to create new namespace" >&2; exit 1';
    expect((await open({ path: await withBubblewrap(script) })).kind).toBe('landlock');
  });
});

/** Tries each way to a user namespace, and says what came of it: an error's number, or 0. */
const NAMESPACES = `
import ctypes, json, os, platform, struct, threading
libc = ctypes.CDLL(None, use_errno=True)
CLONE = {"x86_64": 56, "aarch64": 220}[platform.machine()]
def attempt(call):
    reader, writer = os.pipe()
    if os.fork() == 0:
        result = call()
        os.write(writer, b"%d" % (0 if result >= 0 else ctypes.get_errno()))
        os._exit(0)
    os.close(writer)
    return int(os.read(reader, 9))
def end(result):
    if result == 0:
        os._exit(0)
    return result
arguments = struct.pack("=11Q", 1 << 28, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
found = {
    "unshare": attempt(lambda: libc.unshare(1 << 28)),
    "clone": attempt(lambda: end(libc.syscall(CLONE, (1 << 28) | 17, 0, 0, 0, 0))),
    "clone3": attempt(lambda: end(libc.syscall(435, arguments, ctypes.c_size_t(len(arguments))))),
}
thread = threading.Thread(target=lambda: found.update(threads=0))
thread.start()
thread.join()
print(json.dumps(found))
`;

const [EPERM, ENOSYS] = [1, 38];
const NOBODY = 65_534;

/** What comes of it in a cage. */
async function attempt(wish: 'bubblewrap' | 'landlock', more: Partial<CageSpec> = {}): Promise<unknown> {
  const cage = await open({ wish });
  const command = [python, '-I', '-S', '-c', NAMESPACES];
  const confines = { python, readOnly: [], writable: [], tmp: '/tmp' };
  return JSON.parse(await tryCage(cage.wrap({ ...confines, command, cwd: '/', environment: {}, ...more }))) as unknown;
}

describe('a cage of bubblewrap', () => {
  const DEVICE = '/dev/fuse';
  const CODE = `
import os, socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)
    print("reached")
except OSError:
    print("cut off")
print(os.path.exists("${DEVICE}"), open(sys.argv[2]).read())
`;

  it('shows devices and folders that are asked for, and no network where none is wanted', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    endWithFile(() => server.close());
    const { port } = server.address() as AddressInfo;
    const cage = await open({ wish: 'bubblewrap' });
    const models = await scratch('models-');
    await writeFile(join(models, 'model'), 'of all');
    const command = [python, '-I', '-S', '-c', CODE, String(port), join(models, 'model')];
    const confines = { python, readOnly: [models], writable: [], tmp: '/tmp', command, cwd: '/', environment: {} };
    expect(await tryCage(cage.wrap(confines))).toBe('reached\nFalse of all');
    const devices = await findDevices([DEVICE, '/dev/there-is-none']);
    const there = existsSync(DEVICE) ? 'True' : 'False';
    expect(await tryCage(cage.wrap({ ...confines, network: false, devices }))).toBe(`cut off\n${there} of all`);
  });
});

/** What belongs to a user, or to the machine, and has no path: an error's number for each, or 0. */
const OTHERS = `
import ctypes, json, os, resource, sys
libc = ctypes.CDLL(None, use_errno=True)
KEYCTL, SHMGET, MQ_OPEN = {"x86_64": (250, 29, 240), "aarch64": (219, 194, 180)}[os.uname().machine]
def call(*words):
    return 0 if libc.syscall(*words) >= 0 else ctypes.get_errno()
def attempt(action):
    try:
        action()
        return 0
    except OSError as error:
        return error.errno
found = {
    "keys": call(KEYCTL, 0, -3, 0),
    "System V": call(SHMGET, 0, 64, 0o600),
    "queues": call(MQ_OPEN, b"of-another", 0o100, 0o600, None),
    "limits": attempt(lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE)),
    "own limits": attempt(lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))),
    "devices": attempt(lambda: os.listdir("/dev")),
    "shared memory": int(sys.argv[1] in (os.listdir("/dev/shm") if os.access("/dev/shm", os.R_OK) and not attempt(lambda: os.listdir("/dev/shm")) else [])),
    "semaphores": attempt(lambda: __import__("multiprocessing").Lock()),
    "passwords": attempt(lambda: open("/etc/shadow").close()),
    "settings": attempt(lambda: open("/etc/passwd").close()),
}
print(json.dumps(found))
`;

const [EACCES, PERMITTED] = [13, 0];

describe('objects without a path, and files of root', () => {
  it.each([
    ['bubblewrap', { 'System V': PERMITTED, queues: PERMITTED, devices: PERMITTED }],
    ['landlock', { 'System V': EPERM, queues: EPERM, limits: EPERM, devices: EACCES, passwords: EACCES }],
  ] as const)('is out of reach in a cage of %s', async (wish, expected) => {
    const shared = `streamlit-host-test-${randomUUID()}`;
    await writeFile(join('/dev/shm', shared), '');
    endWithFile(() => rm(join('/dev/shm', shared), { force: true }));
    const cage = await open({ wish });
    const command = [python, '-I', '-c', OTHERS, shared];
    const confines = { python, readOnly: [], writable: [], tmp: '/tmp', uid: cage.changesUser ? NOBODY : undefined };
    const found = JSON.parse(await tryCage(cage.wrap({ ...confines, command, cwd: '/', environment: {} }))) as object;
    expect(found).toMatchObject({
      ...{ keys: EPERM, 'own limits': 0, 'shared memory': 0, semaphores: 0, settings: 0 },
      ...expected,
    });
  });
});

describe('user namespaces', () => {
  it.each(['bubblewrap', 'landlock'] as const)('cannot be made in a cage of %s, and threads can', async (wish) => {
    expect(await attempt(wish)).toEqual({ unshare: EPERM, clone: EPERM, clone3: ENOSYS, threads: 0 });
  });

  it.runIf(process.getuid?.() === 0)('can be made by what needs them (needs root)', async () => {
    expect(await attempt('bubblewrap', { userNamespaces: true })).toMatchObject({ unshare: 0, clone: 0, clone3: 0 });
  });
});
