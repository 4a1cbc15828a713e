import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Refusal } from '../errors.js';
import { GitFailed, type BytesOptions, type Git, type GitOptions } from './git.js';

const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** The longest patch that is shown, in characters. */
const MAX_DIFF = 500_000;

/** The id that means "no commit" in git's protocol. */
export const NO_COMMIT = '0'.repeat(40);

/** A file to be put into a commit. */
export interface BlobSource {
  path: string;
  /** Where its bytes are. */
  file: string;
  executable?: boolean;
}

/** A commit to write without a working tree. */
export interface CommitRequest {
  parent: string | undefined;
  set: readonly BlobSource[];
  remove: readonly string[];
  /** True where `set` is the whole content of the commit. */
  replace: boolean;
  author: string;
  message: string;
}

/**
 * One app's bare git repository. Branches are what people push and clone; `refs/releases/<n>` keep the commit of every
 * release that was begun, and are hidden from both.
 */
export class Repository {
  readonly path: string;
  readonly #git: Git;

  constructor(path: string, git: Git) {
    this.path = path;
    this.#git = git;
  }

  /**
   * Makes the repository, complete or not at all.
   * @param tmp a folder on the same file system
   */
  async init(tmp: string): Promise<void> {
    const draft = await mkdtemp(join(tmp, 'repository-'));
    try {
      await this.#git.run(draft, ['init', '--quiet', '--bare', '--initial-branch=main', '--template=']);
      await appendFile(join(draft, 'config'), SETTINGS.map(settingLine).join(''));
      await rename(draft, this.path);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  /**
   * Finds objects in another repository from now on, by git's own means: `objects/info/alternates`
   * (https://git-scm.com/docs/gitrepository-layout). The other one then never throws any away.
   */
  async borrow(from: Repository): Promise<void> {
    await from.#run(['config', 'gc.pruneExpire', 'never']);
    // Relative to the objects, so that the data folder can be moved.
    const way = relative(join(this.path, 'objects'), join(from.path, 'objects'));
    await writeFile(join(this.path, 'objects', 'info', 'alternates'), `${way}\n`);
  }

  /** The commit that a ref or an id names, or undefined. */
  async resolve(name: string, options: GitOptions = {}): Promise<string | undefined> {
    try {
      const commit = await this.ask(['rev-parse', '--verify', '--end-of-options', `${name}^{commit}`], options);
      return COMMIT.test(commit) ? commit : undefined;
    } catch (error) {
      if (error instanceof GitFailed && /not a valid object|Needed a single revision|bad object/i.test(error.stderr))
        return undefined;
      throw error;
    }
  }

  /** `git ls-tree -r -l -z` of a commit, as it is. */
  async tree(commit: string, options: BytesOptions = {}): Promise<Buffer> {
    return this.#git.bytes(this.path, ['ls-tree', '-r', '-l', '-z', '--full-tree', hash(commit)], {
      maxBytes: 64 * 1024 * 1024,
      ...options,
    });
  }

  /** `git cat-file --batch` of these blobs, as it is. */
  async blobs(ids: readonly string[], options: BytesOptions = {}): Promise<Buffer> {
    return this.#git.bytes(this.path, ['cat-file', '--batch'], {
      maxBytes: 256 * 1024 * 1024,
      ...options,
      input: ids.map((id) => `${hash(id)}\n`).join(''),
    });
  }

  /** All blobs that the repository has, whether anything leads to them or not. */
  async allBlobs(options: BytesOptions = {}): Promise<{ id: string; size: number }[]> {
    const argv = [
      'cat-file',
      '--batch-all-objects',
      '--unordered',
      '--batch-check=%(objecttype) %(objectname) %(objectsize)',
    ];
    const listed = await this.#git.bytes(this.path, argv, { maxBytes: 256 * 1024 * 1024, ...options });
    return listed
      .toString('latin1')
      .split('\n')
      .flatMap((line) => {
        const [type, id = '', size] = line.split(' ');
        return type === 'blob' ? { id, size: Number(size) } : [];
      });
  }

  /** What changes from one commit to another, as a patch; a long one is cut. */
  async diff(from: string, to: string): Promise<string> {
    const argv = ['diff', '--no-color', '--no-ext-diff', '--no-textconv', '--stat', '--patch', hash(from), hash(to)];
    // A character has four bytes at the most: whatever is cut off by git is longer than what is shown.
    const patch = (await this.#git.bytes(this.path, argv, { maxBytes: 4 * MAX_DIFF, cut: true })).toString('utf8');
    return patch.length > MAX_DIFF ? `${patch.slice(0, MAX_DIFF)}\n… truncated.\n` : patch;
  }

  /** The bytes of a blob. */
  async blob(id: string, options: BytesOptions = {}): Promise<Buffer> {
    return this.#git.bytes(this.path, ['cat-file', 'blob', hash(id)], { maxBytes: 64 * 1024 * 1024, ...options });
  }

  /** The subject line of a commit. */
  async subject(commit: string, options: GitOptions = {}): Promise<string> {
    return this.ask(['log', '-1', '--format=%s', hash(commit)], options);
  }

  /** True where any branch or tag exists. */
  async hasRefs(): Promise<boolean> {
    return (await this.ask(['for-each-ref', '--count=1', '--format=%(refname)', 'refs/heads', 'refs/tags'])) !== '';
  }

  /** The names of all branches, in order. */
  async branches(): Promise<string[]> {
    return (await this.ask(['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/heads']))
      .split('\n')
      .filter((name) => name !== '');
  }

  /** The branch that keeps git from having this one too: no name is a branch and a folder of branches at once. */
  async branchInTheWay(branch: string): Promise<string | undefined> {
    const names = await this.branches();
    return names.find((name) => branch.startsWith(`${name}/`) || name.startsWith(`${branch}/`));
  }

  /** Points a ref at a commit. @param old what it must point at now; undefined = whatever it does */
  async pointRef(ref: string, commit: string, old?: string): Promise<void> {
    await this.#run(['update-ref', '--create-reflog', ref, hash(commit), ...(old === undefined ? [] : [old])]);
  }

  /** Keeps a release's commit from git's own clean-up, for as long as the release is kept. */
  async keepRelease(number: number, commit: string): Promise<void> {
    await this.pointRef(`refs/releases/${number}`, commit);
  }

  /** Lets git's clean-up have a release's commit, where nothing else names it. */
  async dropRelease(number: number): Promise<void> {
    await this.#run(['update-ref', '-d', `refs/releases/${number}`]);
  }

  /** Makes `git clone` check out this branch. */
  async setHead(branch: string): Promise<void> {
    await this.#run(['symbolic-ref', 'HEAD', `refs/heads/${branch}`]);
  }

  /**
   * Writes a commit without moving any ref.
   * @param tmp a folder for the temporary index
   * @returns its id; the parent's own where nothing would change
   */
  async commit(request: CommitRequest, tmp: string): Promise<string> {
    const folder = await mkdtemp(join(tmp, 'commit-'));
    const env = { GIT_INDEX_FILE: join(folder, 'index') };
    try {
      if (request.parent !== undefined && !request.replace)
        await this.#run(['read-tree', hash(request.parent)], { env });
      const lines: string[] = request.remove.map((path) => `0 ${NO_COMMIT}\t${path}`);
      const ids = await this.#keep(request.set.map(({ file }) => file));
      for (const [place, source] of request.set.entries()) {
        lines.push(`${source.executable === true ? '100755' : '100644'} ${ids[place] ?? ''}\t${source.path}`);
      }
      if (lines.length > 0) {
        await this.#run(['update-index', '-z', '--index-info'], {
          env,
          input: lines.map((line) => `${line}\0`).join(''),
        });
      }
      const tree = await this.ask(['write-tree'], { env });
      if (request.parent !== undefined) {
        const before = await this.ask(['rev-parse', '--verify', `${hash(request.parent)}^{tree}`]);
        if (before === tree) return request.parent;
      }
      const who = request.author.replace(/[<>\n\0]/g, '').trim() || 'streamlit-host';
      return await this.ask(
        ['commit-tree', tree, ...(request.parent === undefined ? [] : ['-p', hash(request.parent)]), '-F', '-'],
        {
          env: {
            GIT_AUTHOR_NAME: who,
            GIT_AUTHOR_EMAIL: 'noreply@streamlit-host.invalid',
            GIT_COMMITTER_NAME: 'streamlit-host',
            GIT_COMMITTER_EMAIL: 'noreply@streamlit-host.invalid',
          },
          input: `${request.message.trim() || 'Change files'}\n`,
        },
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /**
   * The files of a folder that its own .gitignore does not leave out, by their paths, whether or not they are under git.
   * @param tmp a folder for the temporary index
   */
  async unignored(dir: string, tmp: string): Promise<string[]> {
    const folder = await mkdtemp(join(tmp, 'index-'));
    try {
      const argv = ['--git-dir', this.path, '--work-tree', dir, 'ls-files', '--others', '--exclude-standard', '-z'];
      const output = await this.#git.bytes(dir, argv, {
        env: { GIT_INDEX_FILE: join(folder, 'index') },
        maxBytes: 64 * 1024 * 1024,
      });
      // A repository within is told as a folder, and is none of the app's files.
      return output
        .toString('utf8')
        .split('\0')
        .filter((path) => path !== '' && !path.endsWith('/'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Writes files as blobs, all by one process: an upload may have thousands. @returns their ids */
  async #keep(files: readonly string[]): Promise<string[]> {
    if (files.length === 0) return [];
    // As git quotes names in C's way, so that one may hold a line break.
    const names = files.map((file) => `"${file.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"\n`);
    return (await this.ask(['hash-object', '-w', '--no-filters', '--stdin-paths'], { input: names.join('') })).split(
      '\n',
    );
  }

  /** What git says about this repository. @throws GitFailed */
  async ask(argv: readonly string[], options: GitOptions = {}): Promise<string> {
    return this.#git.text(this.path, argv, options);
  }

  /** Lets git change this repository, about which it says nothing. */
  async #run(argv: readonly string[], options: GitOptions = {}): Promise<void> {
    await this.#git.run(this.path, argv, options);
  }
}

const SETTINGS: readonly (readonly [string, string])[] = [
  // Every ref is answered by the hook, each with its own sentence (https://git-scm.com/docs/git-config, receive.procReceiveRefs).
  ['receive.procReceiveRefs', 'refs'],
  ['receive.advertisePushOptions', 'true'],
  ['receive.advertiseAtomic', 'false'],
  ['receive.denyDeletes', 'false'],
  // A clean-up in the background would be a child without an owner.
  ['receive.autogc', 'false'],
  ['gc.auto', '0'],
  ['transfer.hideRefs', 'refs/releases'],
  ['transfer.fsckObjects', 'true'],
  ['core.logAllRefUpdates', 'true'],
  ['uploadpack.allowFilter', 'true'],
];

/** A setting as it is in git's config file. Ten calls of `git config` would take longer than all else. */
function settingLine([key, value]: readonly [string, string]): string {
  const [section = '', name = ''] = key.split('.');
  return `[${section}]\n\t${name} = ${value}\n`;
}

function hash(text: string): string {
  // A name that begins with "-" would be read as an option, so only full ids get this far.
  if (!COMMIT.test(text))
    throw new Refusal('invalid', 'commit-invalid', `"${text.slice(0, 64)}" is not a full commit id.`);
  return text;
}
