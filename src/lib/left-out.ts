/** Folders that belong to one machine or one tool, never to an app; in lower case. */
const FOLDERS = new Set(['__macosx', '.git', 'venv', '.venv', '__pycache__', 'node_modules']);
/** Files that do; git has a file of that name in place of its folder in worktrees and submodules. */
const FILES = new Set(['.ds_store', '.git']);

/** Files that hold secrets; examples of them hold none. */
const SECRETS = /(^|\/)(\.env(\.(?!example$|sample$|template$|dist$)[^/]+)?|\.streamlit\/secrets\.toml)$/;

/** True for what lies in a source folder and is not needed elsewhere: caches, environments, git's own files. */
export function isLeftOut(path: string): boolean {
  const segments = path.toLowerCase().split('/');
  return FILES.has(segments.at(-1) ?? '') || segments.slice(0, -1).some((segment) => FOLDERS.has(segment));
}

/** True for a file whose values belong into a store for secrets, not to the code. */
export function holdsSecrets(path: string): boolean {
  return SECRETS.test(path);
}
