import { readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  rawEntries,
  readConfigJson,
  type ConfigJson,
  type AppEntry,
  type RawEntry,
} from '../domain/in-place/config-json.js';
import type { Principal } from '../domain/access/principal.js';
import { messageOf, Refusal } from '../errors.js';
import type { ConfigFile, ConfigState } from '../store/config-file.js';
import { isThere } from '../store/folder.js';
import type { AppOutcome, Refreshed } from './controller.js';
import type { Folders } from './folders.js';

/** Takes the apps of another installation over, to be run where they are. */
export class Importer {
  readonly #file: ConfigFile;
  readonly #folders: Pick<Folders, 'discover' | 'refresh'>;

  constructor(file: ConfigFile, folders: Pick<Folders, 'discover' | 'refresh'>) {
    this.#file = file;
    this.#folders = folders;
  }

  /** As `Controller.import` says; done twice, the second changes nothing. */
  async import(path: string, by: Principal): Promise<Refreshed> {
    const notes: string[] = [];
    const { entries, raw, websitePort } = await this.#read(path, notes);
    const skipped: AppOutcome[] = [];
    const wanted = new Set<string>();
    await this.#file.change((now) => {
      const apps: Record<string, RawEntry> = {};
      for (const entry of entries) {
        const here = now.config.entries.find(
          ({ place }) => place.dir === entry.place.dir && place.main === entry.place.main,
        );
        const clash = now.config.entries.find((other) => other.id === entry.id);
        if (here === undefined && clash !== undefined) {
          skipped.push({
            app: entry.id,
            outcome: 'skipped',
            sentence: `The key "${entry.place.key}" belongs to the app in ${clash.place.dir}. Change one of the two keys.`,
          });
          continue;
        }
        wanted.add(here?.id ?? entry.id);
        if (here === undefined) apps[entry.place.key] = moved(entry, raw[entry.place.key] ?? {}, now, notes);
      }
      const port = now.config.websitePort === undefined ? websitePort : undefined;
      if (port !== undefined)
        notes.push(`website_port ${port} applies from the next start, unless STREAMLIT_HOST_PORT is set.`);
      return { apps, ...(port === undefined ? {} : { websitePort: port }) };
    });
    const refreshed = await this.#folders.refresh(by);
    return {
      notes: [...notes, ...refreshed.notes],
      apps: [...skipped, ...refreshed.apps.filter(({ app }) => wanted.has(app))],
    };
  }

  async #read(path: string, notes: string[]): Promise<ConfigJson & { raw: Record<string, RawEntry> }> {
    const given = await realpath(path).catch(() => path); // That it is missing is told below.
    const source = (await isThere(given, 'folder')) ? join(given, 'config.json') : given;
    const base = dirname(source);
    const apps = join(base, 'apps');
    const text = (await isThere(source, 'file')) ? await read(source) : undefined;
    if (text === undefined && !((await isThere(given, 'folder')) && (await isThere(apps, 'folder')))) {
      throw new Refusal(
        'not-found',
        'import-missing',
        `There is no config.json at ${path}, and no folder "apps". Name the folder of the installation, or its config.json.`,
        { field: 'path' },
      );
    }
    const reading = readConfigJson(text ?? '{}', { base, apps });
    if ('mistakes' in reading)
      throw new Refusal(
        'invalid',
        'config-invalid',
        reading.mistakes.map((mistake) => `${source}, ${mistake}`).join(' '),
        { field: 'path' },
      );
    const raw = rawEntries(text ?? '{}');
    const ports = new Set(reading.config.entries.flatMap((entry) => entry.place.port ?? []));
    const found = await this.#folders.discover(apps, reading.config.entries, ports, notes);
    // What was found is read as if it had stood there.
    const more = readConfigJson(JSON.stringify({ apps: found }), { base: dirname(this.#file.path), apps });
    const entries = [...reading.config.entries, ...('config' in more ? more.config.entries : [])];
    return { websitePort: reading.config.websitePort, entries, raw: { ...raw, ...found } };
  }
}

/** An entry as it stands in our config.json: with paths that are true from anywhere, and without what another app has here. */
function moved({ place, path, id }: AppEntry, raw: RawEntry, now: ConfigState, notes: string[]): RawEntry {
  const entry: RawEntry = { ...raw, dir: place.dir };
  if (place.main !== undefined) entry.app = place.main;
  if (place.venv !== undefined) entry.venv = place.venv;
  const others = now.config.entries;
  if (path !== undefined && others.some((other) => other.path === path)) {
    delete entry.url;
    notes.push(`${id}: the URL "${path}" belongs to another app, so it is only at its default URL.`);
  }
  if (place.port !== undefined && others.some((other) => other.place.port === place.port)) {
    delete entry.port;
    notes.push(`${id}: port ${place.port} belongs to another app, so it gets a free one.`);
  }
  return entry;
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Refusal('forbidden', 'import-missing', `Cannot read ${path}: ${messageOf(error)}.`, {
      field: 'path',
      cause: error,
    });
  }
}
