import type { HostAddress } from '../../lib/address.js';

/** Where a Swarm's machines find what they need. */
export interface SwarmSettings {
  /** The server: a name or an address of this machine, and a port that is open for the machines alone. */
  server: HostAddress;
  /** The registry of images. */
  registry: string;
  /** Whether each app's own files are on the one machine that runs it, or in the data folder, which all machines have. */
  storage: 'local' | 'shared';
}

const HOST = String.raw`(?:[\w.-]+|\[[\da-fA-F:]+\])`;

/**
 * Reads the settings of the Swarm; undefined where there are none.
 * @param read returns a setting
 * @param wanted whether they are needed
 * @param mistakes gets a sentence for each one that is wrong
 */
export function swarmSettings(
  read: (name: string) => string | undefined,
  wanted: boolean,
  mistakes: string[],
): SwarmSettings | undefined {
  const [address, registry, storage = 'local'] = [read('SWARM_ADDRESS'), read('SWARM_REGISTRY'), read('SWARM_STORAGE')];
  if (!wanted && (address === undefined || registry === undefined)) return undefined;
  const [, host = '', port = ''] = new RegExp(`^(${HOST}):(\\d{1,5})$`).exec(address ?? '') ?? [];
  if (host === '' || Number(port) < 1 || Number(port) > 65_535)
    mistakes.push(
      `STREAMLIT_HOST_SWARM_ADDRESS must be a host and a port at which all machines reach the server, such as 10.0.0.5:8400 (found ${address ?? 'nothing'}).`,
    );
  if (registry === undefined || !new RegExp(`^${HOST}(:\\d{1,5})?(/[a-z\\d._-]+)*$`).test(registry))
    mistakes.push(
      `STREAMLIT_HOST_SWARM_REGISTRY must be a registry that all machines reach, such as registry.example.com:5000 (found ${registry ?? 'nothing'}).`,
    );
  if (storage !== 'local' && storage !== 'shared')
    mistakes.push(`STREAMLIT_HOST_SWARM_STORAGE must be local or shared (found ${storage}).`);
  return {
    storage: storage === 'shared' ? storage : 'local',
    server: { host: host.replace(/^\[|\]$/g, ''), port: Number(port) },
    registry: registry ?? '',
  };
}
