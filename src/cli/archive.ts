import { createReadStream } from 'node:fs';
import { lstat, mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { git } from './git.js';
import { holdsSecrets, isLeftOut } from '../lib/left-out.js';
import { counted } from '../lib/words.js';

/** A folder to upload. */
export interface Archive {
  /** Describes the content for the person who uploads it. */
  what: string;
  /** The tar.gz, created while it is read. */
  content: AsyncIterable<Uint8Array>;
  /** Files with secrets that are not in it. */
  heldBack: readonly string[];
}

/** The files of a project, relative to its folder. */
interface Files {
  /** Those that git keeps; none without git. */
  tracked: readonly string[];
  /** Those that it would add. */
  others: readonly string[];
}

/**
 * Packs a folder as a tar.gz with the files that a push would send: those that git tracks or would add, whether or not the
 * folder is a checkout, whatever `export-ignore` says. Environments and caches stay behind, and so do files with secrets
 * that are not in git.
 * @throws Refusal `folder-not-found`, `folder-empty`, `submodule`
 */
export async function archiveOf(folder: string): Promise<Archive> {
  const found = await lstat(folder).catch((error: unknown) => {
    throw new Refusal('not-found', 'folder-not-found', `Cannot read the folder ${folder}: ${messageOf(error)}.`, {
      cause: error,
    });
  });
  if (!found.isDirectory() && !found.isSymbolicLink())
    throw new Refusal('invalid', 'folder-not-found', `${folder} is not a folder.`);

  const inCheckout = await filesOfCheckout(folder);
  const { tracked, others } = inCheckout ?? {
    tracked: [],
    others: (await filesByIgnoreRules(folder)) ?? (await walk(folder)),
  };
  const nested = others.find((path) => path.endsWith('/'));
  if (nested !== undefined) throw submodule(nested.slice(0, -1));
  const wanted = withoutEnvironments(others);
  const heldBack = wanted.filter(holdsSecrets);
  const files = [...new Set([...tracked, ...wanted.filter((path) => !holdsSecrets(path))])];
  if (files.length === 0) throw new Refusal('invalid', 'folder-empty', `There are no files to upload in ${folder}.`);
  const commit = inCheckout === undefined ? undefined : await cleanCommit(folder);
  const changed = inCheckout === undefined ? '' : ', including uncommitted changes,';
  const what = commit === undefined ? `${counted(files.length, 'file')}${changed}` : `commit ${commit.slice(0, 7)}`;
  return { what, content: pack(folder, files), heldBack };
}

/** Lists the files of a checkout; undefined where the folder belongs to none. @throws Refusal `submodule` */
async function filesOfCheckout(folder: string): Promise<Files | undefined> {
  const stage = await listed(folder, ['ls-files', '-z', '--stage']);
  const others = await listed(folder, [...OTHERS]);
  if (stage === undefined || others === undefined || stage.length + others.length === 0) return undefined;
  // "<mode> <object> <stage>", a tab and the path (https://git-scm.com/docs/git-ls-files#_output).
  const entries = stage.map((line) => ({ mode: line.slice(0, 6), path: line.slice(line.indexOf('\t') + 1) }));
  const link = entries.find(({ mode }) => mode === '160000');
  if (link !== undefined) throw submodule(link.path);
  return { tracked: entries.map(({ path }) => path), others };
}

const OTHERS = ['ls-files', '-z', '--others', '--exclude-standard'] as const;

/** Lists what git would add of a folder that is not a checkout, by its .gitignore; undefined without git. */
async function filesByIgnoreRules(folder: string): Promise<string[] | undefined> {
  const store = await mkdtemp(join(tmpdir(), 'streamlit-host-'));
  try {
    const made = await listed(store, ['init', '--quiet', '--bare', '.']);
    return made && (await listed(folder, [`--git-dir=${store}`, '--work-tree=.', ...OTHERS]));
  } finally {
    await rm(store, { recursive: true, force: true });
  }
}

/** What git lists, separated by NUL; undefined where it fails or is not installed. */
async function listed(folder: string, argv: readonly string[]): Promise<string[] | undefined> {
  const output = await git(folder, argv).catch((error: unknown) => {
    if (error instanceof Refusal && error.code === 'git-missing') return undefined; // Then it is a folder like any other.
    throw error;
  });
  return output?.split('\0').filter((path) => path !== '');
}

/** Returns the commit of a folder without changes. */
async function cleanCommit(folder: string): Promise<string | undefined> {
  const head = (await git(folder, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']))?.trim();
  if (head === undefined || head === '') return undefined;
  return (await git(folder, ['status', '--porcelain', '-z', '--', '.'])) === '' ? head : undefined;
}

/** Leaves out caches and environments, whatever their names (https://docs.python.org/3/library/venv.html). */
function withoutEnvironments(paths: readonly string[]): string[] {
  const environments = paths
    .filter((path) => /(^|\/)pyvenv\.cfg$/.test(path))
    .map((path) => path.slice(0, -'pyvenv.cfg'.length));
  return paths.filter(
    (path) =>
      !isLeftOut(path) && !environments.some((environment) => environment !== '' && path.startsWith(environment)),
  );
}

async function walk(folder: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    // Not even looked into: they may have very many files.
    if (isLeftOut(`${path}/`)) continue;
    if (entry.isDirectory()) found.push(...(await walk(folder, path)));
    else if (entry.isFile() || entry.isSymbolicLink()) found.push(path);
  }
  return found;
}

function submodule(path: string): Refusal {
  const sentence = `${path} is a submodule, and git does not push its files. Add them to the project itself.`;
  return new Refusal('invalid', 'submodule', sentence);
}

/** Packs the files as a tar.gz, one after the other. */
async function* pack(folder: string, paths: readonly string[]): AsyncGenerator<Uint8Array> {
  const { default: tar } = await import('tar-stream');
  const out = tar.pack();
  const zip = createGzip();
  const filling = fill().then(
    () => out.finalize(),
    (error: unknown) => out.destroy(error as Error),
  );
  const zipping = pipeline(out as unknown as Readable, zip);
  // What went wrong reaches the reader through zip.
  zipping.catch(() => undefined);
  try {
    yield* zip as AsyncIterable<Uint8Array>;
    await zipping;
  } finally {
    out.destroy();
    zip.destroy();
    await filling;
  }

  async function fill(): Promise<void> {
    for (const path of paths) {
      const file = join(folder, path);
      const info = await lstat(file).catch((error: unknown) => {
        if (hasCode(error, 'ENOENT')) return undefined; // Deleted, and git was not told yet.
        throw error;
      });
      const mode = info !== undefined && (info.mode & 0o111) !== 0 ? 0o755 : 0o644;
      if (info?.isSymbolicLink() === true) {
        out.entry({ name: path, type: 'symlink', linkname: await readlink(file) });
      } else if (info?.isFile() === true) {
        // Read to the size that was announced: a file that grows meanwhile would break the archive.
        const header = { name: path, size: info.size, mode, mtime: info.mtime };
        if (info.size === 0) out.entry(header, Buffer.alloc(0));
        else await pipeline(createReadStream(file, { end: info.size - 1 }), out.entry(header));
      }
    }
  }
}
