import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';
import { replicasSchema } from '../app/replicas.js';
import { tagsSchema } from '../app/tags.js';
import { appCageSchema } from './app-cage.js';
import { DEPENDENCY_FILES, isPathWithin, listOf, plainPath } from './layout.js';
import { longLine, MAX_LINE } from './long-lines.js';

/** The file in a project that holds its app's settings. */
export const APP_FILE = 'streamlit-host.toml';

/** The longest that Streamlit itself lets a script run as a check, in s. */
const CHECK_LIMIT_S = 60;

/** The limits of a limit of memory, in MB: Streamlit alone takes 60 to 100. */
export const MIN_MEMORY_MB = 128;
/** The largest memory limit that an app can ask for, in MB: one TB. */
export const MAX_MEMORY_MB = 1_048_576;
const MEMORY_RULE = `must be a whole number of MB from ${MIN_MEMORY_MB} to ${MAX_MEMORY_MB}`;

const HEADER_RULE = 'must be a list of "Authorization" and header names that begin with "X-", such as "X-Api-Key"';

/** An app's settings, which it brings along in `streamlit-host.toml`. Every one may be left out. */
export const appFileSchema = z.strictObject({
  root: z
    .string('must be the path of a folder, as a string')
    .transform(plainPath)
    .refine(
      (path) => path === '' || isPathWithin(path),
      'must be the path of a folder in the repository, such as "dashboards/sales"',
    )
    .optional()
    .describe(
      'The folder that holds the app, as a path in the repository; all other paths start there. Default: the top of the repository.',
    ),
  main: z
    .string('must be the path of a Python file, as a string')
    .regex(/^[^-/\s][^\0\\]*\.py$/, 'must be the path of a Python file in the project, such as "src/app.py"')
    .optional()
    .describe('The file that Streamlit runs, as a path in the project. Default: app.py or streamlit_app.py.'),
  python: z
    .string('must be a version as a string, such as "3.12"')
    .optional()
    .describe('The Python version, such as "3.12" or ">=3.10,<3.13".'),
  dependencies: z
    .string('must be the path of a file, as a string')
    .transform(plainPath)
    .refine(
      (path) => isPathWithin(path) && listOf(path) !== undefined,
      `must be one of ${DEPENDENCY_FILES.join(', ')}, or the path of such a file or of another .txt file`,
    )
    .optional()
    .describe(
      'The file that lists the packages to install, as a path in the project. Default: the first one found beside the main file, then in the project root.',
    ),
  description: z
    .string('must be a string')
    .max(500, 'must be at most 500 characters long')
    .optional()
    .describe('What the app is for, in one sentence for its visitors.'),
  tags: tagsSchema.optional().describe('The tags to find the app by in the gallery, such as ["sales"].'),
  hidden: z
    .boolean('must be true or false')
    .optional()
    .describe('Whether to hide the app from the gallery. Anyone with the link can still open it.'),
  replicas: replicasSchema
    .optional()
    .describe(
      'How many processes run the app; each keeps the sessions of its own pages. Default: 1, or what was set by "scale".',
    ),
  check: z
    .strictObject(
      {
        script: z
          .enum(['main', 'all-pages', 'off'], 'must be "main", "all-pages" or "off"')
          .optional()
          .describe(
            'What to run once before a release goes live: "main" (the main file, the default), "all-pages" or "off".',
          ),
        timeout_s: z
          .int(`must be a whole number from 1 to ${CHECK_LIMIT_S}`)
          .min(1, `must be a whole number from 1 to ${CHECK_LIMIT_S}`)
          .max(CHECK_LIMIT_S, `must be a whole number from 1 to ${CHECK_LIMIT_S}`)
          .optional()
          .describe("The time limit of that run, or of each page, in seconds. Default: 60, Streamlit's own limit."),
      },
      'must be a table with the heading [check]',
    )
    .optional()
    .describe('The check of a new release.'),
  drain: z
    .strictObject(
      {
        limit_minutes: minutes(0).describe(
          'How long an older release keeps running for its open pages once a newer one is live, in minutes; 0 stops it at once.',
        ),
      },
      'must be a table with the heading [drain]',
    )
    .optional()
    .describe('What happens to open pages when a newer release goes live.'),
  sleep: z
    .strictObject(
      {
        after_minutes: minutes(1).describe(
          'How many minutes without a visitor until the app sleeps. A visit wakes it.',
        ),
      },
      'must be a table with the heading [sleep]',
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
            'The memory limit of the app and its child processes together, in MB. An app that exceeds it is restarted.',
          ),
      },
      'must be a table with the heading [memory]',
    )
    .optional()
    .describe('How much memory the app may use.'),
  requests: z
    .strictObject(
      {
        headers: z
          .array(
            z.string(HEADER_RULE).regex(/^(authorization|x-(?!forwarded-)[a-z0-9-]{1,60})$/i, HEADER_RULE),
            HEADER_RULE,
          )
          .max(20, 'must name at most 20 headers')
          .optional()
          .describe(
            'Additional request headers that reach the app: "Authorization" (bearer tokens only) and names that begin with "X-". Anyone can send them.',
          ),
      },
      'must be a table with the heading [requests]',
    )
    .optional()
    .describe('What of a request reaches the app, for routes of its own.'),
  cage: appCageSchema.optional().describe('What the app may reach beyond its own files.'),
});

/** What an app's `streamlit-host.toml` says. */
export type AppFile = z.infer<typeof appFileSchema>;

/**
 * Reads an app's settings.
 * @throws Refusal `app-file-invalid` that names the setting and its line
 */
export function parseAppFile(text: string): AppFile {
  const long = longLine(text);
  if (long !== undefined) throw refusal(`line ${long}`, `it has more than ${MAX_LINE} characters`);
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
      `unknown setting ${printable(path.join('.'))}. Valid settings: ${known(issue.path.map(String)).join(', ')}`,
    );
  }
  const path = (issue?.path ?? []).map(String);
  throw refusal(place(text, path), `${path.join('.')} ${issue?.message ?? 'is invalid'}`);
}

/** The settings as a JSON schema, for editors that complete and check them. */
export function appFileJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(appFileSchema, { io: 'input' });
  return { $schema, title: APP_FILE, description: 'The settings of a Streamlit app on streamlit-host.', ...schema };
}

/** The reason why a text is not valid TOML, in one line. */
export function tomlReason(error: TomlError): string {
  const [first = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
  return `invalid TOML: ${first}`;
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
    const heading = headingOf(line);
    const key = keyOf(line);
    if (heading !== undefined) table = words(heading);
    const here = heading !== undefined ? table : key !== undefined ? [...table, ...words(key)] : [];
    if (here.length > 0 && path.length > 0 && path.every((word, at) => here[at] === word)) return `line ${index + 1}`;
  }
  // A table of one line holds its settings within; then the line of the table is told.
  return path.length > 1 ? place(text, path.slice(0, -1)) : '';
}

/** The text between the brackets of a table's first line. */
function headingOf(line: string): string | undefined {
  const text = line.trimStart();
  const end = text.indexOf(']');
  if (!text.startsWith('[') || end === -1) return undefined;
  const heading = text.slice(0, end).replace(/^\[+/, '').trim();
  return heading === '' ? undefined : heading;
}

/** The key of a line: the text before its "=". */
function keyOf(line: string): string | undefined {
  const key = line.slice(0, Math.max(0, line.indexOf('='))).trim();
  return /^[\w.\-"' ]+$/.test(key) ? key : undefined;
}

function words(key: string): string[] {
  return key.split('.').map((word) => word.trim().replace(/^(["'])(.*)\1$/, '$2'));
}

function refusal(where: string, what: string): Refusal {
  const sentence = `${APP_FILE}${where === '' ? '' : `, ${where}`}: ${what}.`;
  return new Refusal('invalid', 'app-file-invalid', sentence, { field: APP_FILE });
}
