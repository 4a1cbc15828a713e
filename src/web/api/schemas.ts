import { z } from 'zod';
import { outcomes } from '../../in-place/controller.js';
import { appStates } from '../../domain/app/app.js';
import { releaseSources, releaseStates } from '../../domain/app/release.js';
import { splitTags, tagsSchema } from '../../domain/app/tags.js';
import { Refusal } from '../../errors.js';

export { appStates };

const name = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters');
const description = z.string().trim().max(2_000);
const tags = tagsSchema.describe('By which visitors find the app in the gallery; lower-cased.');
const hidden = z.boolean().describe('true: the gallery does not show the app; it opens by its address all the same.');
const file = z.unknown().meta({ type: 'string', format: 'binary' });

const page = z.coerce
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .default(1)
  .describe('The page, from 1 on; the Link header has the others.');
const perPage = z.coerce.number().int().min(1).max(100).default(50).describe('How many on a page.');
const release = z.coerce.number().int().min(1).max(1e9).describe('The number of a release: 1, 2, 3 … per app.');

/** What stands in a path. */
export const params = {
  app: z.object({ id: z.string().max(100).describe("The app's id, as it stands in its address.") }),
  deploy: z.object({ id: z.string().max(100).describe("The app's id."), n: release }),
  file: z.object({
    id: z.string().max(100).describe("The app's id."),
    path: z
      .string()
      .min(1)
      .max(2_000)
      .describe('The path of the file in the repository; its "/" may stand as they are.'),
  }),
};

/** What stands after the "?". */
export const queries = {
  apps: z.object({
    state: z
      .string()
      .max(200)
      .optional()
      .describe(`Only apps in these states, separated by commas: ${appStates.join(', ')}.`),
    q: z.string().max(200).optional().describe('Only apps whose id, name or description holds this text.'),
    sort: z
      .enum(['id', 'name', 'state', 'created', 'updated', '-id', '-name', '-state', '-created', '-updated'])
      .default('id')
      .describe('The order; "-" before it turns it round.'),
    page,
    per_page: perPage,
  }),
  deploys: z.object({ page, per_page: perPage }),
  remove: z.object({
    confirm: z.string().max(100).optional().describe("The app's id once more, so that nothing is deleted by mistake."),
  }),
  logs: z.object({
    source: z
      .enum(['run', 'build'])
      .default('run')
      .describe('run: what the app prints, with its starts and stops. build: the log of a deploy.'),
    release: release.optional().describe('Which one; the live release, for source=build the newest, unless told.'),
    tail: z.coerce.number().int().min(1).max(10_000).default(200).describe('How many lines from the end.'),
    q: z.string().min(1).max(200).optional().describe('Only lines that hold this text, whatever its case.'),
    follow: z.enum(['0', '1']).default('0').describe('1: server-sent events that go on; resumable by Last-Event-ID.'),
    download: z.enum(['0', '1']).default('0').describe('1: the whole log as a file.'),
  }),
  commit: z.object({ message: z.string().trim().min(1).max(200).optional().describe('The message of the commit.') }),
};

/** What is sent. */
export const bodies = {
  create: z.strictObject({
    name: name.describe('What people call the app.'),
    id: z.string().max(100).optional().describe('Its id in addresses; made from the name unless told.'),
    description: description.optional(),
  }),
  update: z.strictObject({
    name: name.optional(),
    description: description.optional(),
    previews_on: z.boolean().optional().describe('true: other branches that are pushed get previews.'),
    tags: tags.optional(),
    hidden: hidden.optional(),
  }),
  /** The same as a form has it. */
  updateForm: z.strictObject({
    name: name.optional(),
    description: description.optional(),
    tags: z.string().max(1_000).transform(splitTags).pipe(tagsSchema).optional().describe('Words, parted by commas.'),
    hidden: z
      .enum(['true', 'false'])
      .transform((text) => text === 'true')
      .optional(),
  }),
  preview: z.strictObject({ branch: z.string().min(1).max(250).describe('A branch that was pushed.') }),
  rollback: z.strictObject({
    release: z.int().positive().describe('The release to bring back; one that was live and is kept.'),
  }),
  import: z.strictObject({
    path: z
      .string()
      .min(1)
      .max(4_000)
      .regex(/^\//, 'must be a full path, from "/" on')
      .describe('The folder of the installation, or its config.json, on the machine of the server.'),
  }),
  stop: z.strictObject({
    keep_apps: z.boolean().default(false).describe('true: only the server ends, and the apps go on serving.'),
  }),
};

/** Headers that say which content a change is meant for. */
export const conditions = z.object({
  'If-Match': z
    .string()
    .optional()
    .describe('The ETag of the content that was edited: the change is refused with 412 where it is another by now.'),
  'If-None-Match': z.string().optional().describe('"*": only where there is no such file yet.'),
});

/** Headers of a stream that was interrupted. */
export const resume = z.object({
  'Last-Event-ID': z.string().optional().describe('The id of the last event that came: what follows it is sent.'),
});

/** The files of a form, for the document only: they are streamed, not parsed. */
export const formFiles = {
  app: file.optional().describe('Becomes app.py, whatever its name.'),
  requirements: file.optional().describe('Becomes requirements.txt.'),
  archive: file.optional().describe('A zip or tar.gz of the whole project.'),
  files: z.array(file).optional().describe('Several files; the name of each is its path in the app.'),
};

const deploy = z
  .object({
    release: z.number().int(),
    commit: z.string(),
    branch: z.string(),
    source: z.enum(releaseSources),
    by: z.string().describe('Who asked for it.'),
    message: z.string(),
    state: z.enum(releaseStates),
    reason: z.string().nullable().describe('Why it failed.'),
    live: z.boolean().describe('True where new visitors get this release.'),
    created_at: z.string(),
    finished_at: z.string().nullable(),
    seconds: z.number().nullable().describe('How long the deploy took.'),
    open_pages: z
      .number()
      .int()
      .optional()
      .describe(
        'How many pages are open on it now; told with a deploy, or a list of them, where a process of it runs.',
      ),
    url: z.string().describe('This deploy in the API.'),
    log_url: z.string().describe('Its log, as server-sent events that end with the deploy.'),
  })
  .meta({ id: 'Deploy' });

const app = z
  .object({
    id: z.string(),
    app_id: z.string().describe('The same as id.'),
    name: z.string(),
    description: z.string(),
    tags: z.array(z.string()),
    hidden: z.boolean().describe('True where the gallery does not show it.'),
    state: z.enum(appStates),
    url: z.string().describe('Where visitors find the app.'),
    access_url: z.string().describe('The same as url.'),
    git_url: z.string().describe('The remote to push to and to clone from.'),
    console_url: z.string(),
    release: z.number().int().nullable().describe('The live release.'),
    folder: z
      .string()
      .nullable()
      .describe('The folder that it runs from, in place; null where it is deployed from its repository.'),
    path: z.string().nullable().describe('An extra path that leads to it.'),
    port: z.number().int().nullable(),
    pid: z.number().int().nullable(),
    memory_bytes: z
      .number()
      .int()
      .nullable()
      .describe('Resident memory of its process and of what that started; at most a second old.'),
    memory_limit_bytes: z
      .number()
      .int()
      .nullable()
      .describe('The most memory that its process may use with what that started; null where it has no limit.'),
    uptime_seconds: z.number().int().nullable(),
    restarts: z.number().int().describe('Starts after a crash.'),
    deploy_branch: z.string().nullable(),
    preview: z
      .object({ of: z.string().describe('The id of its app.'), branch: z.string() })
      .nullable()
      .describe('What it is a preview of, where it is one.'),
    created_at: z.string(),
    updated_at: z.string(),
    last_deploy: deploy.nullable(),
  })
  .meta({ id: 'App' });

const preview = z
  .object({
    id: z.string(),
    branch: z.string(),
    state: z.enum(appStates),
    url: z.string(),
    console_url: z.string(),
    release: z.number().int().nullable().describe('The live release.'),
    last_deploy: deploy.nullable(),
  })
  .meta({ id: 'Preview' });

/** What is answered. */
export const answers = {
  app,
  appWithPreviews: app
    .extend({
      previews_on: z.boolean().describe('True where other branches that are pushed get previews.'),
      previews: z.array(preview).describe('The previews that are there.'),
      stored_branches: z
        .array(z.string())
        .describe('The branches that were pushed and have no preview, where there are previews.'),
    })
    .meta({ id: 'AppWithPreviews' }),
  apps: z.object({
    apps: z.array(app),
    page: z.number().int(),
    per_page: z.number().int(),
    total: z.number().int(),
    config_mistakes: z
      .array(z.string())
      .describe('What is wrong with config.json, a sentence each; the last good one counts until it is mended.'),
  }),
  changed: app
    .extend({ deploy: deploy.nullable().describe('The deploy that was begun, where files came.') })
    .meta({ id: 'ChangedApp' }),
  deploy,
  deploys: z.object({
    deploys: z.array(deploy),
    page: z.number().int(),
    per_page: z.number().int(),
    total: z.number().int(),
  }),
  deployWithLog: deploy
    .extend({
      log: z.object({ lines: z.array(z.string()), truncated: z.boolean() }).describe('The last 200 lines of its log.'),
    })
    .meta({ id: 'DeployWithLog' }),
  logs: z
    .object({
      source: z.enum(['run', 'build']),
      release: z.number().int().nullable(),
      lines: z.array(z.string()),
      offset: z.number().int().nullable().describe('Where to go on, as Last-Event-ID of a request that follows.'),
      truncated: z.boolean().describe('True where there is more before these lines.'),
    })
    .meta({ id: 'Log' }),
  files: z.object({ files: z.array(z.object({ path: z.string(), size: z.number().int(), url: z.string() })) }),
  refreshed: z
    .object({
      notes: z.array(z.string()).describe('What is to be known of the whole, such as the mistakes in config.json.'),
      apps: z.array(z.object({ app: z.string(), outcome: z.enum(outcomes), sentence: z.string() })),
    })
    .meta({ id: 'Refreshed' }),
  saved: z.object({ path: z.string(), etag: z.string(), deploy }),
  loginLink: z.object({ url: z.string(), expires_at: z.string() }),
  stopping: z.object({ stopping: z.literal(true), keep_apps: z.boolean() }),
  problem: z
    .object({
      type: z.string(),
      title: z.string(),
      status: z.number().int(),
      detail: z.string().describe('A sentence for the person who reads it.'),
      code: z.string().describe('Stable: scripts may rely on it.'),
      field: z.string().optional().describe('The input at fault.'),
      instance: z.string(),
    })
    .meta({ id: 'Problem' }),
};

export type OverviewAnswer = z.infer<typeof answers.apps>;
export type AppAnswer = z.infer<typeof answers.app>;
export type PreviewsAnswer = Pick<z.infer<typeof answers.appWithPreviews>, 'previews_on' | 'previews'>;
export type ChangedAnswer = z.infer<typeof answers.changed>;
export type DeployAnswer = z.infer<typeof answers.deploy>;
export type RefreshedAnswer = z.infer<typeof answers.refreshed>;
export type ProblemAnswer = z.infer<typeof answers.problem>;

/**
 * What was sent, as the schema has it.
 * @throws Refusal `field-invalid`, naming the first field at fault
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value, { error: plainWords });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.code === 'unrecognized_keys' ? (issue.keys[0] ?? '') : (issue?.path.join('.') ?? '');
  const why = (issue?.message ?? 'it is not what was expected').replace(/^./, (letter) => letter.toLowerCase());
  throw new Refusal(
    'invalid',
    'field-invalid',
    field === '' ? `The request is not right: ${why}.` : `"${field}" is not right: ${why}.`,
    { field },
  );
}

/** What is wrong, for people who do not know how it is checked; undefined where the check has words of its own. */
function plainWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'it is missing' : `it must be of the type ${issue.expected}`;
    case 'too_small':
      if (issue.origin !== 'string') return undefined;
      return issue.minimum === 1 ? 'it must not be empty' : `it must have at least ${String(issue.minimum)} characters`;
    case 'too_big':
      return issue.origin === 'string' ? `it must have at most ${String(issue.maximum)} characters` : undefined;
    default:
      return undefined;
  }
}
