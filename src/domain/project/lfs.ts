/** How a pointer begins; it has less than 1,024 bytes (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md). */
const MARK = 'version https://git-lfs.github.com/spec/v1\n';
const MOST = 1_024;

/** What a commit has in the place of a file that Git LFS stores apart. */
export interface LfsPointer {
  /** The SHA-256 of the content, in hexadecimal digits. */
  oid: string;
  /** In bytes. */
  size: number;
}

/** Returns whether a file of so many bytes may be a pointer. */
export function maybePointer(bytes: number): boolean {
  return bytes > MARK.length && bytes < MOST;
}

/** The pointer that a file is; undefined for any other file. */
export function readPointer(content: Buffer): LfsPointer | undefined {
  if (!maybePointer(content.length) || content.subarray(0, MARK.length).toString('latin1') !== MARK) return undefined;
  const text = content.toString('utf8');
  const oid = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const size = /^size (\d{1,15})$/m.exec(text)?.[1];
  return oid === undefined || size === undefined ? undefined : { oid, size: Number(size) };
}

/** Returns whether this may be the id of an object: it becomes a name on disk. */
export function isOid(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
