import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeployRequest } from '../../src/deploys/request.js';
import type { Deploy } from '../../src/deploys/ongoing.js';
import type { Release } from '../../src/domain/app/release.js';
import { newApp, type App } from '../../src/domain/app/app.js';
import { Turns } from '../../src/lib/turns.js';
import { AppStore } from '../../src/store/apps.js';
import { Git } from '../../src/store/git.js';
import { Paths } from '../../src/store/paths.js';
import { Repository } from '../../src/store/repository.js';
import { writeFiles } from './files.js';
import { releaseOf } from './release.js';

/** A data folder of its own with the store, the repositories and the locks that the server has. */
export class TestData {
  readonly paths: Paths;
  readonly store: AppStore;
  readonly git = new Git(process.env.PATH ?? '');
  readonly turns = new Turns();

  private constructor(data: string) {
    this.paths = new Paths(data);
    this.store = new AppStore(this.paths);
  }

  static async open(): Promise<TestData> {
    const data = new TestData(await mkdtemp(join(tmpdir(), 'data-')));
    await mkdir(data.paths.tmp);
    await data.store.load();
    return data;
  }

  async close(): Promise<void> {
    await rm(this.paths.data, { recursive: true, force: true });
  }

  /** An app without a repository. */
  async app(id: string, facts: Partial<App> = {}): Promise<App> {
    return this.store.create({ ...newApp(id, id.toUpperCase(), new Date(0)), ...facts });
  }

  /** The repository of an app, made where it is not there. */
  async repository(id: string): Promise<Repository> {
    const path = this.paths.repository(id);
    // As `git init --bare` leaves it: git itself is slow to do so, and does it for its own test.
    await mkdir(join(path, 'refs', 'heads'), { recursive: true });
    const files = { HEAD: 'ref: refs/heads/main\n', config: '[core]\n\tbare = true\n' };
    if (!existsSync(join(path, 'HEAD'))) await writeFiles(path, { ...files, 'objects/info/alternates': '' });
    return new Repository(path, this.git);
  }

  /** Commits exactly these files to a branch. @returns the commit's id */
  async commit(id: string, files: Record<string, string>, branch = 'main'): Promise<string> {
    const { path } = await this.repository(id);
    const ref = `refs/heads/${branch}`;
    const counted = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
    const input = [
      `commit ${ref}\ncommitter Ada <ada@example.com> 1767225600 +0000\n${counted('Change')}`,
      existsSync(join(path, ref)) ? `from ${ref}^0\ndeleteall\n` : '',
      ...Object.entries(files).map(([name, text]) => `M 100644 inline ${name}\n${counted(text)}`),
    ];
    await this.git.run(path, ['fast-import', '--quiet'], { input: input.join('') });
    return (await readFile(join(path, ref), 'utf8')).trim();
  }
}

/** Takes requests for deploys, of which each ends at once as a test says. */
export class TakenDeploys {
  readonly asked: DeployRequest[] = [];
  /** How the next ones end. */
  end: Partial<Release> = {};

  readonly request = async (request: DeployRequest): Promise<Deploy> => {
    this.asked.push(request);
    const number = this.asked.length;
    const done = Promise.resolve(releaseOf(number, 'live', this.end));
    return { app: request.app, release: number, follow: () => () => undefined, done };
  };
}
