import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { APP_FILE } from '../domain/project/app-file.js';
import { findRelease } from '../domain/app/app.js';
import { chooseEntrypoint } from '../domain/project/entrypoint.js';
import { Refusal } from '../errors.js';
import { asClause } from '../lib/words.js';
import type { AppStore } from '../store/apps.js';
import type { ConfigFile } from '../store/config-file.js';
import { filesIn, isThere } from '../store/folder.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Background } from '../lib/background.js';
import { Repository } from '../store/repository.js';
import type { AppFiles, StagedFile } from '../apps/files.js';
import type { Deploy } from '../deploys/ongoing.js';
import type { Principal } from '../domain/access/principal.js';
import type { Configs } from '../apps/config.js';
import { inspectPlace } from '../deploys/folder-release.js';
import type { Reader } from '../deploys/reader.js';

/** An app's code has fewer files than this. */
const MAX_FILES = 2_000;
/** Streamlit's secrets, which belong to the server's encrypted ones and not into a repository. */
const SECRETS = '.streamlit/secrets.toml';

export interface AdoptionOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  file: ConfigFile;
  reader: Reader;
  appFiles: Pick<AppFiles, 'adopt'>;
  configs: Pick<Configs, 'of' | 'change'>;
  logger: { error(facts: object, text: string): void };
}

/** How an app in place becomes one with a repository of its own. */
export class Adoption {
  readonly #options: AdoptionOptions;
  readonly #ending: Background;

  constructor(options: AdoptionOptions) {
    this.#options = options;
    this.#ending = new Background((error, facts) =>
      options.logger.error(
        { ...facts, err: error },
        `an adopted app could not be removed from ${options.file.path}; remove it by hand`,
      ),
    );
  }

  /** As `Controller.adopt` says. */
  async adopt(id: string, by: Principal): Promise<Deploy> {
    const { store, paths, appFiles, reader } = this.#options;
    const { place } = store.get(id);
    if (place === undefined) throw new Refusal('conflict', 'not-in-place', `${id} already has its own repository.`);
    const { main } = await inspectPlace(reader, place).catch((error: unknown) => {
      throw error instanceof Refusal
        ? new Refusal(error.kind, error.code, `${id} cannot be adopted: ${asClause(error.message)}.`)
        : error;
    });
    const files = await this.#filesOf(id, place.dir);
    const entrypoint = relative(place.dir, main);
    if (entrypoint.startsWith('..')) {
      throw new Refusal(
        'invalid',
        'main-outside',
        `${id} cannot be adopted: its main file ${main} is outside of its folder ${place.dir}.`,
      );
    }
    const draft = await mkdtemp(join(paths.tmp, 'adopt-'));
    try {
      const set: StagedFile[] = files.map((path) => ({ path, file: join(place.dir, path) }));
      const chosen = chooseEntrypoint(files);
      if (!files.includes(APP_FILE) && !('file' in chosen && chosen.file === entrypoint)) {
        await writeFile(join(draft, APP_FILE), `main = ${JSON.stringify(entrypoint)}\n`);
        set.push({ path: APP_FILE, file: join(draft, APP_FILE) });
      }
      const deploy = await appFiles.adopt(id, set, by, `Adopt ${place.dir}`);
      this.#finish(deploy, place.key);
      // The deploy that is under way takes them along.
      await this.#keepSecrets(id, place.dir, by);
      return deploy;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  /** Waits until nothing is left to be written. */
  async close(): Promise<void> {
    await this.#ending.settled();
  }

  /** What the folder holds of the app: what git would, without environments and caches. */
  async #filesOf(id: string, dir: string): Promise<string[]> {
    const { paths, git } = this.#options;
    const known = new Set((await filesIn(dir)).map((file) => file.path));
    const all = await new Repository(paths.repository(id), git).unignored(dir, paths.tmp);
    const files = all.filter((path) => path !== SECRETS && known.has(path));
    if (files.length <= MAX_FILES) return files;
    throw new Refusal(
      'too-large',
      'too-many-files',
      `${id} cannot be adopted: ${dir} has more than ${MAX_FILES} files. List those that are not its code in a .gitignore there.`,
    );
  }

  async #keepSecrets(id: string, dir: string, by: Principal): Promise<void> {
    const { configs } = this.#options;
    if (!(await isThere(join(dir, SECRETS), 'file')) || (await configs.of(id)).secretsToml !== '') return;
    await configs.change(id, { secretsToml: await readFile(join(dir, SECRETS), 'utf8') }, by);
  }

  /** Once the repository is live, config.json has nothing more to say of the app. */
  #finish(deploy: Deploy, key: string): void {
    const { store, file } = this.#options;
    const ending = deploy.done.then(async ({ number }) => {
      const app = store.find(deploy.app);
      if (app === undefined || app.place !== undefined || findRelease(app, number)?.state !== 'live') return;
      await file.change((now) => ({ apps: key in now.raw ? { [key]: undefined } : {} }));
    });
    this.#ending.own(ending, { app: deploy.app });
  }
}
