import { tableOf, tablesOf, textOf, textsOf } from './wanted.js';

/** One project of several that share a uv.lock (https://docs.astral.sh/uv/concepts/projects/workspaces/). */
export interface Member {
  name: string;
  /** Its folder, from the one of the lock. */
  folder: string;
  /** True where it can be installed, as others of the workspace are that it depends on. */
  isPackage: boolean;
}

/** The member of a workspace that a folder belongs to; undefined where that is the workspace's own project, or none. */
export function memberOf(lock: Record<string, unknown>, folder: string): Member | undefined {
  const names = textsOf(tableOf(lock.manifest).members);
  return tablesOf(lock.package)
    .flatMap(({ name, source }): Member[] => {
      const { editable, virtual } = tableOf(source);
      const place = textOf(editable) ?? textOf(virtual);
      const known = textOf(name);
      if (place === undefined || place === '.' || known === undefined || !names.includes(known)) return [];
      return [{ name: known, folder: place, isPackage: editable !== undefined }];
    })
    .filter((one) => folder === one.folder || folder.startsWith(`${one.folder}/`))
    .sort((a, b) => b.folder.length - a.folder.length)[0];
}
