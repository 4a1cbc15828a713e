import { homeOf } from './bubblewrap.js';
import { innerCommand, innerOrder } from './inner.js';
import { isWithin } from '../../../lib/within.js';
import { type Caged, type CageSpec, type Machine } from './spec.js';

/** What everybody may write. */
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'pts'].map((name) => `/dev/${name}`);

/** Where everybody's shared memory is. Its names cannot be guessed, as long as nobody can list them. */
const SHARED_MEMORY = '/dev/shm';

/** Where the kernel reports its features. Nothing of `/dev` but the above: root could read the machine's disks there. */
const KERNEL = ['/proc', '/sys'];

/**
 * A process under rules that the kernel applies to it and to all that it starts: it reads and writes what its spec names, and
 * nothing else. It sees other processes, and may neither signal nor trace them.
 */
export function inLandlock(spec: CageSpec, machine: Machine): Caged {
  const read = [machine.inner, homeOf(spec.python), ...spec.readOnly].filter(
    // Rules only ever add: what lies around the server's data cannot be allowed without it.
    (path) => !machine.hidden.some((one) => isWithin(one, path)),
  );
  return {
    command: innerCommand(spec, machine),
    order: innerOrder(
      // joblib keeps folders in shared memory unless told, and has to list them.
      { ...spec, environment: { TMPDIR: spec.tmp, JOBLIB_TEMP_FOLDER: spec.tmp, ...spec.environment } },
      {
        read: [...machine.system.readable, ...KERNEL, ...read],
        write: [...DEVICES, ...(spec.devices?.paths ?? []), ...spec.writable],
        unlisted: [SHARED_MEMORY],
      },
    ),
    around: 0,
  };
}
