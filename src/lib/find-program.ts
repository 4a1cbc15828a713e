import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

/**
 * Finds a program in the folders of a PATH; relative ones do not count.
 * @param names the names that it may have, the preferred one first
 * @returns undefined if there is none
 */
export async function findProgram(names: readonly string[], path: string): Promise<string | undefined> {
  const folders = path.split(delimiter).filter(isAbsolute);
  for (const file of folders.flatMap((folder) => names.map((name) => join(folder, name))))
    if (await isProgram(file)) return file;
  return undefined;
}

/** Returns whether there is a file that this user may run. */
export async function isProgram(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
