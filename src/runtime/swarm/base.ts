import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { parentsOf } from '../process/cage/spec.js';

/** Where images have what the server itself puts into them. */
const OWN = '/run/streamlit-host';
/** The container's first step, the file that an app's Python runs first, and where the app's own folder is mounted. */
export const AT = { agent: `${OWN}/agent.py`, launcher: `${OWN}/launch.py`, storage: `${OWN}/storage` } as const;

export interface BaseOptions {
  /** Top folders that are links, with where they lead (`/lib` → `usr/lib`). */
  links: ReadonlyMap<string, string>;
  /** The places of `python/agent.py` and `python/launch.py`. */
  agent: string;
  launcher: string;
  /** Folders in which an instance gets the files that its order names. */
  ordered: readonly string[];
}

/**
 * What all images begin with: the links of the machine's top folder, the server's own programs, and folders for what an instance
 * gets. All programs of the system are the machine's own and are mounted.
 * @returns an archive, always the same for the same files
 */
export async function baseArchive({ links, agent, launcher, ordered }: BaseOptions): Promise<Buffer> {
  const { pack } = await import('tar-stream');
  const tar = pack();
  const mtime = new Date(0);
  const sorted = [...links].sort(([one], [other]) => (one < other ? -1 : 1));
  for (const [link, target] of sorted) tar.entry({ name: link.slice(1), type: 'symlink', linkname: target, mtime });
  const open = [...ordered, AT.storage];
  const folders = new Map<string, number>();
  for (const path of [...open, AT.agent].flatMap(parentsOf)) folders.set(path, 0o755);
  // An instance is not root, and what is mounted there has the rights of what it hides.
  for (const path of open) folders.set(path, 0o1777);
  for (const path of [...folders.keys()].sort())
    tar.entry({ name: path.slice(1), type: 'directory', mode: folders.get(path) ?? 0o755, mtime });
  for (const [from, to] of [
    [agent, AT.agent],
    [launcher, AT.launcher],
  ] as const)
    tar.entry({ name: to.slice(1), mode: 0o644, mtime }, await readFile(from));
  tar.finalize();
  return buffer(tar);
}
