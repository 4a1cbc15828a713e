import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';
import { tagsSchema } from '../app/tags.js';

export const APP_FILE = 'streamlit-host.toml';

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

/** The longest that Streamlit itself lets a script run as a check, in s. */
const CHECK_LIMIT_S = 60;

/** The limits of a limit of memory, in MB: Streamlit alone takes 60 to 100. */
export const MIN_MEMORY_MB = 128;
export const MAX_MEMORY_MB = 1_048_576;
const MEMORY_RULE = `must be a whole number of MB from ${MIN_MEMORY_MB} to ${MAX_MEMORY_MB}`;

/** An app's settings, which it brings along in `streamlit-host.toml`. Every one may be left out. */
export const appFileSchema = z.strictObject({
  main: z
    .string('must be the path of a Python file, in quotes')
    .regex(/^[^-/\s][^\0\\]*\.py$/, 'must be the path of a Python file of the project, such as "src/app.py"')
    .optional()
    .describe('The file that Streamlit runs, by its path in the project; app.py or streamlit_app.py unless told.'),
  python: z
    .string('must be a version in quotes, such as "3.12"')
    .optional()
    .describe('The version of Python, such as "3.12" or ">=3.10,<3.13".'),
  dependencies: z
    .enum(DEPENDENCY_FILES, `must be one of ${DEPENDENCY_FILES.join(', ')}`)
    .optional()
    .describe('The file that names the packages to install, where another one than the first should be taken.'),
  description: z
    .string('must be a text in quotes')
    .max(500, 'must have 500 characters at most')
    .optional()
    .describe('What the app is for, in a sentence for its visitors.'),
  tags: tagsSchema.optional().describe('The words by which visitors find the app in the gallery, such as ["sales"].'),
  hidden: z
    .boolean('must be true or false')
    .optional()
    .describe('Whether the gallery leaves the app out; it opens by its address all the same.'),
  check: z
    .strictObject(
      {
        script: z
          .enum(['main', 'all-pages', 'off'], 'must be "main", "all-pages" or "off"')
          .optional()
          .describe(
            'What is run once before a release may serve: "main" (the main file, as usual), "all-pages" or "off".',
          ),
        timeout_s: z
          .int(`must be a whole number from 1 to ${CHECK_LIMIT_S}`)
          .min(1, `must be a whole number from 1 to ${CHECK_LIMIT_S}`)
          .max(CHECK_LIMIT_S, `must be a whole number from 1 to ${CHECK_LIMIT_S}`)
          .optional()
          .describe(
            'How long that run (of each page) may take, in seconds; 60 unless told, the limit of Streamlit itself.',
          ),
      },
      'must be a table: write [check] above its settings',
    )
    .optional()
    .describe('The check of a new release.'),
  drain: z
    .strictObject(
      {
        limit_minutes: minutes(0).describe(
          'How long an older release is kept for its open pages once a newer one is live, in minutes; 0 = not at all.',
        ),
      },
      'must be a table: write [drain] above its settings',
    )
    .optional()
    .describe('What becomes of open pages when a newer release is live.'),
  sleep: z
    .strictObject(
      {
        after_minutes: minutes(1).describe(
          'After how many minutes without a visitor the app sleeps; a visit wakes it.',
        ),
      },
      'must be a table: write [sleep] above its settings',
    )
    .optional()
    .describe('When the app sleeps.'),
  memory: z
    .strictObject(
      {
        limit_mb: z
          .int(MEMORY_RULE)
          .min(MIN_MEMORY_MB, MEMORY_RULE)
          .max(MAX_MEMORY_MB, MEMORY_RULE)
          .optional()
          .describe(
            'The most memory that the app and what it starts may use together, in MB; the one that uses more is ended and started again.',
          ),
      },
      'must be a table: write [memory] above its settings',
    )
    .optional()
    .describe('How much memory the app may use.'),
});

/** What an app's `streamlit-host.toml` says. */
export type AppFile = z.infer<typeof appFileSchema>;

/**
 * Reads an app's settings.
 * @throws Refusal `app-file-invalid` that names the setting and its line
 */
export function parseAppFile(text: string): AppFile {
  let values: unknown;
  try {
    values = parseToml(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw refusal(`line ${error.line}`, tomlReason(error));
  }
  const result = appFileSchema.safeParse(values);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const path = [...issue.path.map(String), issue.keys[0] ?? ''];
    throw refusal(
      place(text, path),
      `there is no setting ${printable(path.join('.'))}; there is ${known(issue.path.map(String)).join(', ')}`,
    );
  }
  const path = (issue?.path ?? []).map(String);
  throw refusal(place(text, path), `${path.join('.')} ${issue?.message ?? 'is wrong'}`);
}

/** The settings as a JSON schema, for editors that complete and check them. */
export function appFileJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(appFileSchema, { io: 'input' });
  return { $schema, title: APP_FILE, description: 'What a Streamlit app tells the place that serves it.', ...schema };
}

/** Why a text is no TOML, in one line. */
export function tomlReason(error: TomlError): string {
  const [first = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
  return `this is not TOML: ${first}`;
}

function minutes(least: number): z.ZodOptional<z.ZodInt> {
  const message = `must be a whole number of minutes from ${least} to 10080`;
  return z.int(message).min(least, message).max(10_080, message).optional();
}

/** The names of the settings in a table. */
function known(path: readonly string[]): string[] {
  const table = path[0] === undefined ? appFileSchema : appFileSchema.shape[path[0] as keyof AppFile].unwrap();
  return table instanceof z.ZodObject ? Object.keys(table.shape) : [];
}

/** "line 3", where the line of a setting can be found. */
function place(text: string, path: readonly string[]): string {
  let table: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const heading = /^\s*\[+\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    const key = /^\s*([\w.\-"' ]+?)\s*=/.exec(line)?.[1];
    if (heading !== undefined) table = words(heading);
    const here = heading !== undefined ? table : key !== undefined ? [...table, ...words(key)] : [];
    if (here.length > 0 && path.length > 0 && path.every((word, at) => here[at] === word)) return `line ${index + 1}`;
  }
  // A table of one line holds its settings within; then the line of the table is told.
  return path.length > 1 ? place(text, path.slice(0, -1)) : '';
}

function words(key: string): string[] {
  return key.split('.').map((word) => word.trim().replace(/^(["'])(.*)\1$/, '$2'));
}

function refusal(where: string, what: string): Refusal {
  const sentence = `${APP_FILE}${where === '' ? '' : `, ${where}`}: ${what}.`;
  return new Refusal('invalid', 'app-file-invalid', sentence, { field: APP_FILE });
}
