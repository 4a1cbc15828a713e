import { z } from 'zod';
import { parsePlace, PLACE_RULE } from '../../backup/place.js';
import { appStates } from '../../domain/app/app.js';
import { replicasSchema } from '../../domain/app/replicas.js';
import { splitTags, tagsSchema } from '../../domain/app/tags.js';
import { Refusal } from '../../errors.js';
import { asSentence } from '../../lib/words.js';

export { appStates };

const name = z
  .string()
  .trim()
  .min(1)
  .max(100)
  // eslint-disable-next-line no-control-regex -- said in the document too, whose readers know no classes of Unicode
  .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, 'must not contain control characters')
  .refine((text) => !/\p{Cs}/u.test(text), 'must be valid Unicode');
const description = z.string().trim().max(2_000);
const tags = tagsSchema.describe('Tags in the gallery; stored in lower case.');
const hidden = z.boolean().describe('true hides the app from the gallery; anyone with the link can still open it.');
const path = z.string().max(500);
/** Where in its repository an app is. */
const layout = {
  root: path.optional().describe('The folder that holds the app, for a repository with several projects. "": the top.'),
  main: path.optional().describe('The file that Streamlit runs, as a path from the root. "": found automatically.'),
  dependencies: path
    .optional()
    .describe('The file that lists the packages, as a path from the root. "": found automatically.'),
};
const file = z.unknown().meta({ type: 'string', format: 'binary' });

const page = z.coerce
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .default(1)
  .describe('Page number, from 1; the Link header has the others.');
const perPage = z.coerce.number().int().min(1).max(100).default(50).describe('Results per page.');
const release = z.coerce.number().int().min(1).max(1e9).describe('The release number: 1, 2, 3 … per app.');

/** Tools that try the API by its document find an app by the example. */
const appId = z
  .string()
  .max(100)
  .meta({ examples: ['sales'] });

/** Path parameters. */
export const params = {
  app: z.object({ id: appId.describe("The app's id, as in its URL.") }),
  deploy: z.object({ id: appId.describe("The app's id."), n: release }),
  file: z.object({
    id: appId.describe("The app's id."),
    path: z.string().min(1).max(2_000).describe("The file's path in the repository; slashes need no escaping."),
  }),
};

/** Query parameters. */
export const queries = {
  apps: z.object({
    state: z
      .string()
      .max(200)
      .regex(
        new RegExp(`^ *(${appStates.join('|')}) *(, *(${appStates.join('|')}) *)*$`),
        `must be ${appStates.join(', ')}, separated by commas`,
      )
      .optional()
      .describe(`Only apps in these states, separated by commas: ${appStates.join(', ')}.`),
    q: z.string().max(200).optional().describe('Only apps whose id, name or description contains this text.'),
    sort: z
      .enum(['id', 'name', 'state', 'created', 'updated', '-id', '-name', '-state', '-created', '-updated'])
      .default('id')
      .describe('Sort order; a leading "-" reverses it.'),
    page,
    per_page: perPage,
  }),
  deploys: z.object({ page, per_page: perPage }),
  redeploy: z.object({
    fresh: z
      .enum(['0', '1'])
      .default('0')
      .describe('1: install all packages again, at the newest versions that the app allows.'),
  }),
  remove: z.object({
    confirm: z.string().max(100).optional().describe("The app's id again, to confirm."),
  }),
  logs: z.object({
    source: z
      .enum(['run', 'build'])
      .default('run')
      .describe("run: the app's output, with its starts and stops. build: the log of a deploy."),
    release: release.optional().describe('The release; defaults to the live one, or the newest for source=build.'),
    tail: z.coerce.number().int().min(1).max(10_000).default(200).describe('Number of lines from the end.'),
    q: z.string().min(1).max(200).optional().describe('Only lines that contain this text; case-insensitive.'),
    follow: z
      .enum(['0', '1'])
      .default('0')
      .describe('1: stream new lines as server-sent events; resume with Last-Event-ID.'),
    download: z.enum(['0', '1']).default('0').describe('1: download the full log.'),
  }),
  commit: z.object({ message: z.string().trim().min(1).max(200).optional().describe('The commit message.') }),
};

/** Request bodies. */
export const bodies = {
  create: z.strictObject({
    name: name.describe('The display name.'),
    id: z.string().max(100).optional().describe('The id in URLs; defaults to one made from the name.'),
    description: description.optional(),
    ...layout,
  }),
  update: z.strictObject({
    name: name.optional(),
    description: description.optional(),
    previews_on: z.boolean().optional().describe('true: every other branch you push gets a preview.'),
    deploy_branch: z.string().min(1).max(250).optional().describe('The branch to deploy when it is pushed.'),
    replicas: replicasSchema.optional().describe('How many processes run the app. Each page stays with its own.'),
    tags: tags.optional(),
    hidden: hidden.optional(),
    ...layout,
  }),
  /** The same, as form fields. */
  updateForm: z.strictObject({
    name: name.optional(),
    description: description.optional(),
    tags: z.string().max(1_000).transform(splitTags).pipe(tagsSchema).optional().describe('Tags, separated by commas.'),
    hidden: z
      .enum(['true', 'false'])
      .transform((text) => text === 'true')
      .optional(),
    ...layout,
  }),
  preview: z.strictObject({ branch: z.string().min(1).max(250).describe('A previously pushed branch.') }),
  rollback: z.strictObject({
    release: z.int().positive().describe('The release to roll back to; it must have been live and not be pruned.'),
  }),
  import: z.strictObject({
    path: z
      .string()
      .min(1)
      .max(4_000)
      .regex(/^\//, 'must be an absolute path')
      .describe("The installation's folder or config.json, as an absolute path on the server."),
  }),
  backup: z.strictObject({
    to: z
      .string()
      .regex(/^s3:\/\//)
      .refine((text) => parsePlace(text) !== undefined, PLACE_RULE)
      .describe('Where to, as s3://bucket/prefix. The server needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.'),
    key: z.boolean().default(false).describe('Whether the key for config and secrets, and the admin token, are in it.'),
    keep: z.number().int().min(1).max(1_000).optional().describe('How many backups to keep there, with this one.'),
  }),
  reload: z.strictObject({
    wait_seconds: z
      .number()
      .int()
      .min(0)
      .max(3_600)
      .default(30)
      .describe('How long deploys in progress may take to finish. After that, the new server starts them again.'),
  }),
  stop: z.strictObject({
    keep_apps: z.boolean().default(false).describe('true: stop only the server; the apps keep serving.'),
  }),
};

/** Preconditions: which content a change applies to. */
export const conditions = z.object({
  'If-Match': z
    .string()
    .optional()
    .describe('The ETag of the content you edited. If the file has changed since, the request fails with 412.'),
  'If-None-Match': z.string().optional().describe('"*": only if the file does not exist yet.'),
});

/** What the asker has already. */
export const known = z.object({
  'If-None-Match': z
    .string()
    .optional()
    .describe('The ETag of the content that you have. 304 if it is still the same.'),
});

/** Headers that resume an interrupted stream. */
export const resume = z.object({
  'Last-Event-ID': z.string().optional().describe('The id of the last event received; the stream resumes after it.'),
});

/** The files of a form, for the document only: they are streamed, not parsed. */
export const formFiles = {
  app: file.optional().describe('Saved as app.py, whatever its name.'),
  requirements: file.optional().describe('Saved as requirements.txt.'),
  archive: file.optional().describe('A zip or tar.gz of the project.'),
  files: z.array(file).optional().describe('One or more files; each file name is its path in the app.'),
};

/**
 * Parses a request with its schema.
 * @throws Refusal `field-invalid`, naming the first invalid field
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value, { error: plainWords });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.code === 'unrecognized_keys' ? (issue.keys[0] ?? '') : (issue?.path.join('.') ?? '');
  const why = (issue?.message ?? 'is invalid').replace(/^./, (letter) => letter.toLowerCase());
  throw new Refusal('invalid', 'field-invalid', describe(field, why), { field });
}

/** A predicate such as "is required" follows its field; any other message is a sentence of its own. */
function describe(field: string, why: string): string {
  const subject = field === '' ? 'The request' : `"${field}"`;
  return /^(?:is|must) /.test(why) ? `${subject} ${why}.` : `${subject} is invalid. ${asSentence(why)}`;
}

/** The message for a failed check, without the validator's jargon; undefined where the check has its own message. */
function plainWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be of type ${issue.expected}`;
    case 'too_small':
      if (issue.origin !== 'string') return `must be at least ${String(issue.minimum)}`;
      return issue.minimum === 1 ? 'must not be empty' : `must have at least ${String(issue.minimum)} characters`;
    case 'too_big':
      return `must ${issue.origin === 'string' ? `have at most ${String(issue.maximum)} characters` : `be at most ${String(issue.maximum)}`}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'unrecognized_keys':
      return 'is unknown';
    case 'custom':
      return undefined;
    default:
      return 'is invalid';
  }
}
