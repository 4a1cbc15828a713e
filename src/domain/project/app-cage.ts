import { z } from 'zod';
import type { CageKind } from '../app/process-cage.js';
import { Refusal } from '../../errors.js';

/** The word for all graphics processors that a machine has. */
export const GPU = 'gpu';

/** The most entries of a list. */
const MAX_ENTRIES = 16;

const FOLDER_RULE = 'must be an absolute path without "." and "..", such as "/srv/models"';
const DEVICE_RULE = 'must be "gpu" or a path below /dev, such as "/dev/dri"';

/** What an app asks of its cage in `streamlit-host.toml`. */
export const appCageSchema = z.strictObject(
  {
    network: z
      .boolean('must be true or false')
      .optional()
      .describe('false cuts the app off from all networks, also from other programs of the machine. Default: true.'),
    read_only: z
      .array(z.string(FOLDER_RULE).max(1_000, FOLDER_RULE).refine(isPlainPath, FOLDER_RULE), 'must be a list of paths')
      .max(MAX_ENTRIES, `must have at most ${MAX_ENTRIES} entries`)
      .optional()
      .describe('Folders of the machine that the app may read, of those that the operator allows.'),
    devices: z
      .array(z.string(DEVICE_RULE).max(1_000, DEVICE_RULE).refine(isDevice, DEVICE_RULE), 'must be a list of devices')
      .max(MAX_ENTRIES, `must have at most ${MAX_ENTRIES} entries`)
      .optional()
      .describe('Devices that the app may use, of those that the operator allows: "gpu", or paths below /dev.'),
  },
  'must be a table with the heading [cage]',
);

/** What a release asks of its cage, as its record holds it. */
export const releaseCageSchema = z.object({
  network: z.boolean().default(true),
  readOnly: z.array(z.string()).default([]),
  devices: z.array(z.string()).default([]),
});

/** What a release asks of its cage. */
export type ReleaseCage = z.infer<typeof releaseCageSchema>;

/** What apps may ask for here. */
export interface CagePolicy {
  /** What they run in. */
  kind: CageKind;
  readOnly: readonly string[];
  /** Each as in the app's file. */
  devices: readonly string[];
}

/** Where there is no cage. */
export const UNCAGED: CagePolicy = { kind: 'none', readOnly: [], devices: [] };

/** What a release asks for; undefined where it asks for nothing. */
export function releaseCage(asked: z.infer<typeof appCageSchema> | undefined): ReleaseCage | undefined {
  const { network = true, read_only: readOnly = [], devices = [] } = asked ?? {};
  return network && readOnly.length + devices.length === 0 ? undefined : { network, readOnly, devices };
}

/**
 * Checks whether a release may have what it asks for.
 * @throws Refusal `cage-not-allowed`
 */
export function demandAllowed({ network, readOnly, devices }: ReleaseCage, policy: CagePolicy): void {
  if (!network && (policy.kind === 'none' || policy.kind === 'landlock')) {
    const where = policy.kind === 'none' ? 'this app runs without a cage' : 'this app runs in a Landlock cage';
    throw refusal(`network = false needs a container or a bubblewrap cage, and ${where}`);
  }
  demandEach('read_only', readOnly, policy.readOnly, 'STREAMLIT_HOST_CAGE_READ_ONLY');
  demandEach('devices', devices, policy.devices, 'STREAMLIT_HOST_CAGE_DEVICES');
}

function demandEach(key: string, asked: readonly string[], allowed: readonly string[], setting: string): void {
  const [first] = asked.filter((one) => !allowed.includes(one));
  if (first === undefined) return;
  const instead = allowed.length === 0 ? 'This server allows none' : `This server allows ${allowed.join(', ')}`;
  throw refusal(`${key} names ${first}. ${instead}. Ask the operator to add it to ${setting}`);
}

function refusal(what: string): Refusal {
  return new Refusal('invalid', 'cage-not-allowed', `In streamlit-host.toml, [cage] ${what}.`, {
    field: 'streamlit-host.toml',
  });
}

/** True for an absolute path that is written in the one way that has no detours. */
export function isPlainPath(path: string): boolean {
  const [first, ...parts] = path.split('/');
  return (
    first === '' && parts.length > 0 && parts.every((part) => !['', '.', '..'].includes(part)) && !hasControl(path)
  );
}

/** True for what may be named as a device. */
export function isDevice(name: string): boolean {
  return name === GPU || (name.startsWith('/dev/') && isPlainPath(name));
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
