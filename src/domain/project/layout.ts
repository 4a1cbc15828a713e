import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { trimEnd } from '../../lib/trim-end.js';

const MAX_PATH = 500;

/** The files that may name an app's dependencies, the first one that does being taken. */
export const DEPENDENCY_FILES = [
  'uv.lock',
  'poetry.lock',
  'pyproject.toml',
  'requirements.txt',
  'Pipfile.lock',
  'Pipfile',
  'environment.yml',
  'environment.yaml',
] as const;

/** What a file is read as that has another name. */
const LISTS: readonly [RegExp, DependencyFile][] = [
  [/\.(txt|in)$/i, 'requirements.txt'],
  [/\.ya?ml$/i, 'environment.yml'],
];

/** What kind of file lists the packages. */
export type DependencyFile = (typeof DEPENDENCY_FILES)[number];

/** Where in a repository an app is, set outside of it. */
export const layoutSchema = z.object({
  /** The folder that is the project, from the top of the repository. */
  root: z.string().optional(),
  /** The file that Streamlit runs, from the root. */
  main: z.string().optional(),
  /** The file that names the dependencies, from the root. */
  dependencies: z.string().optional(),
});

/** Where in its repository an app is, as a person has said it outside of the repository. What is left out is found. */
export type Layout = z.infer<typeof layoutSchema>;

/** A change of it: what is left out stays, and an empty text means that it is found again. */
export type LayoutChange = { [Key in keyof Layout]?: string | undefined };

/** The settings of a layout, in the order in which people see them. */
export const LAYOUT_KEYS = ['root', 'main', 'dependencies'] as const;

/** What each part of a layout is called in a sentence. */
export const LAYOUT_NAMES = { root: 'root folder', main: 'main file', dependencies: 'dependency file' } as const;

const RULES = {
  root: 'the path of a folder in the repository, such as "dashboards/sales"',
  main: 'the path of a Python file in the repository, such as "src/app.py"',
  dependencies: `${DEPENDENCY_FILES.join(', ')}, or the path of such a file or of another .txt file`,
} as const;

/** Where a layout is said that is not in the project itself, for the end of a sentence. */
export const APP_SETTINGS = "the app's settings";

/** A layout after a change. @throws Refusal `layout-invalid` that names the part */
export function changeLayout(layout: Layout, change: LayoutChange): Layout {
  const changed: Layout = { ...layout };
  for (const key of LAYOUT_KEYS) {
    const text = change[key];
    if (text === undefined) continue;
    const path = plainPath(text);
    if (path !== '' && !isPossible(key, path))
      throw new Refusal('invalid', 'layout-invalid', `The ${LAYOUT_NAMES[key]} must be ${RULES[key]}.`, { field: key });
    if (path === '') delete changed[key];
    else changed[key] = path;
  }
  return changed;
}

/** A path without what means nothing: spaces around it, "./" before it, "/" behind it. */
export function plainPath(text: string): string {
  return trimEnd(text.trim().replace(/^(\.\/+)+/, ''), '/').replace(/^\.$/, '');
}

/** True where a path stays within the folder that it starts from, and can be given to a program as it is. */
export function isPathWithin(path: string): boolean {
  return (
    path.length <= MAX_PATH &&
    !/^[-/]|[\p{Cc}\p{Cs}\\]/u.test(path) &&
    path.split('/').every((part) => !['', '.', '..'].includes(part) && part.toLowerCase() !== '.git')
  );
}

/** As which list of packages a file is read, by its name; undefined where it is none. */
export function listOf(path: string): DependencyFile | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return DEPENDENCY_FILES.find((file) => file === name) ?? LISTS.find(([pattern]) => pattern.test(name))?.[1];
}

/** The folder of a path; empty at the top. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** A path below a folder. */
export function below(folder: string, path: string): string {
  return folder === '' ? path : `${folder}/${path}`;
}

function isPossible(key: keyof Layout, path: string): boolean {
  if (!isPathWithin(path)) return false;
  if (key === 'main') return path.endsWith('.py');
  return key === 'root' || listOf(path) !== undefined;
}
