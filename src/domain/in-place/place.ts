import { z } from 'zod';

/** Where an in-place app is and how it is run. */
export const placeSchema = z.object({
  /** Its key in config.json. */
  key: z.string(),
  /** The folder in which it runs, absolute. */
  dir: z.string(),
  /** Its main file, absolute; not there = it is looked for in the folder. */
  main: z.string().optional(),
  /** Its virtual environment, absolute; not there = it is looked for in the folder, else one is built. */
  venv: z.string().optional(),
  /** The port that it gets where that is free. */
  port: z.number().int().optional(),
  /** False: a crash leaves it crashed until somebody starts it. */
  restartOnCrash: z.boolean().default(true),
  /** True: a change of its code deploys it by itself. */
  watch: z.boolean().default(false),
});

/** Where an app lives that runs in place: in a folder of this machine that is not ours, as config.json tells. */
export type Place = z.infer<typeof placeSchema>;

/** A folder on the machine that an in-place app is deployed from. */
export const folderSchema = z.object({
  /** The folder in which it runs, absolute. */
  dir: z.string(),
  /** Its own virtual environment, absolute; not there = one of ours, by its hash. */
  venv: z.string().optional(),
});

/** What a release runs from that has no source of its own. */
export type Folder = z.infer<typeof folderSchema>;

/** True where both run the same thing in the same way; a new name or another answer to crashes needs no restart. */
export function runsAlike(a: Place, b: Place): boolean {
  return a.dir === b.dir && a.main === b.main && a.venv === b.venv && a.port === b.port;
}

/** The names of a virtual environment within an app's folder, in the order in which they are looked for. */
export const VENV_NAMES = ['venv', 'env', '.venv'] as const;

const NOT_THE_APP = new Set(['__pycache__', 'node_modules', 'site-packages', 'venv', 'env']);

/** True for a folder below an app's that holds nothing of the app itself. Streamlit's own settings do. */
export function isForeignFolder(name: string): boolean {
  return NOT_THE_APP.has(name) || (name.startsWith('.') && name !== '.streamlit');
}

/**
 * True for a file whose change asks for a restart: code, settings, lists of packages. Data is none, and Streamlit itself
 * sees to it that a change of secrets.toml is heard.
 * @param path below the app's folder, with "/"
 */
export function isCode(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === 'secrets.toml') return false;
  return (
    /\.(py|toml|lock)$/.test(name) ||
    /^requirements.*\.txt$/.test(name) ||
    /^(Pipfile|environment\.ya?ml|packages\.txt)$/.test(name)
  );
}
