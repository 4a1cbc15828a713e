import { z } from 'zod';
import { outcomes } from '../../in-place/controller.js';
import { appStates } from '../../domain/app/app.js';
import { processStates } from '../../domain/app/process.js';
import { cageKinds } from '../../domain/app/process-cage.js';
import { phaseSchema, releaseSources, releaseStates } from '../../domain/app/release.js';

const deploy = z
  .object({
    release: z.number().int(),
    commit: z.string(),
    branch: z.string(),
    source: z.enum(releaseSources),
    by: z.string().describe('Who started it.'),
    message: z.string(),
    state: z.enum(releaseStates),
    reason: z.string().nullable().describe('Why it failed.'),
    live: z.boolean().describe('Whether new visitors get this release.'),
    created_at: z.string(),
    finished_at: z.string().nullable(),
    seconds: z.number().nullable().describe('How long the deploy took, in seconds.'),
    phases: z
      .array(phaseSchema)
      .describe(
        'What it spent its time on, in ms. A failed deploy failed in the last one. Empty while it is in progress.',
      ),
    open_pages: z
      .number()
      .int()
      .optional()
      .describe('How many pages are open on it now. Only on deploy endpoints, and only while it has a process.'),
    url: z.string().describe('The API URL of this deploy.'),
    packages_url: z
      .string()
      .nullable()
      .describe('Its exact packages, as a requirements file; null until they are installed, and for older releases.'),
    log_url: z.string().describe('Its log as server-sent events, which end with the deploy.'),
  })
  .meta({ id: 'Deploy' });

const app = z
  .object({
    id: z.string(),
    app_id: z.string().describe('The same as id.'),
    name: z.string(),
    description: z.string(),
    tags: z.array(z.string()),
    hidden: z.boolean().describe('Whether the app is hidden from the gallery.'),
    state: z.enum(appStates),
    url: z.string().describe('The URL for visitors.'),
    access_url: z.string().describe('The same as url.'),
    git_url: z.string().describe('The git remote to push to and clone from.'),
    console_url: z.string(),
    release: z.number().int().nullable().describe('The live release.'),
    folder: z
      .string()
      .nullable()
      .describe('The folder of an in-place app; null if the app is deployed from its repository.'),
    path: z.string().nullable().describe('An extra path that redirects to the app.'),
    port: z
      .number()
      .int()
      .nullable()
      .describe('The loopback port of an in-place app; null if the app uses a socket that only the server can reach.'),
    pid: z.number().int().nullable(),
    memory_bytes: z
      .number()
      .int()
      .nullable()
      .describe('Resident memory of its process and children; at most a second old.'),
    memory_limit_bytes: z
      .number()
      .int()
      .nullable()
      .describe('The memory limit of its process and children; null if there is none.'),
    cage: z
      .object({
        kind: z.enum(cageKinds),
        own_user: z.boolean().describe('Whether the app runs as its own user.'),
        network: z.boolean(),
        description: z.string().describe('The same in a few words.'),
      })
      .nullable()
      .describe('What its process runs in; null if nothing runs, or if an older version of the server started it.'),
    uptime_seconds: z.number().int().nullable(),
    restarts: z.number().int().describe('Number of restarts after a crash.'),
    replicas: z
      .number()
      .int()
      .optional()
      .describe('How many processes should run the live release. Only where there are or should be several.'),
    processes: z
      .array(
        z.object({
          replica: z
            .number()
            .int()
            .describe('1, 2, 3 … per release; one that has crashed comes back with a new number.'),
          state: z.enum(processStates),
          draining: z.boolean().describe('Whether it gets no new pages, and ends once its pages are closed.'),
          sessions: z.number().int().describe('How many pages are open on it.'),
          pid: z.number().int().nullable(),
          port: z.number().int().nullable().describe('The loopback port of an in-place app.'),
          memory_bytes: z.number().int().nullable().describe('Resident memory of it and its children.'),
          cpu: z.number().nullable().describe('Share of one core; null until it was measured twice.'),
          uptime_seconds: z.number().int().nullable(),
          restarts: z.number().int().describe('Number of restarts after a crash.'),
        }),
      )
      .optional()
      .describe('These processes. Figures outside of this list are of all of them together, or of one that serves.'),
    deploy_branch: z.string().nullable(),
    root: z.string().nullable().describe('The folder of the repository that holds the app; null if nobody named one.'),
    main: z.string().nullable().describe('The main file; null if nobody named one.'),
    dependencies: z.string().nullable().describe('The dependency file; null if nobody named one.'),
    preview: z
      .object({ of: z.string().describe('The id of the app.'), branch: z.string() })
      .nullable()
      .describe('For a preview, the app and branch it belongs to.'),
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

/** Response bodies. */
export const answers = {
  app,
  appWithPreviews: app
    .extend({
      previews_on: z.boolean().describe('Whether other pushed branches get previews.'),
      previews: z.array(preview).describe('The current previews.'),
      stored_branches: z
        .array(z.string())
        .describe('Previously pushed branches without a preview, if previews are on.'),
    })
    .meta({ id: 'AppWithPreviews' }),
  apps: z.object({
    apps: z.array(app),
    page: z.number().int(),
    per_page: z.number().int(),
    total: z.number().int(),
    config_mistakes: z
      .array(z.string())
      .describe('Errors in config.json, one sentence each. The last valid version stays in effect.'),
    waits_for: z
      .array(z.string())
      .describe('What keeps deploys from running, such as a Redis that does not answer, in full sentences.'),
    runtime: z.object({
      kind: z.enum(['process', 'docker', 'swarm']).describe('What runs pushed apps.'),
      version: z.string().nullable().describe('The version of Docker; null for processes.'),
    }),
  }),
  changed: app
    .extend({ deploy: deploy.nullable().describe('The deploy that was started, if files were sent.') })
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
      log: z.object({ lines: z.array(z.string()), truncated: z.boolean() }).describe('The last 200 lines of the log.'),
    })
    .meta({ id: 'DeployWithLog' }),
  logs: z
    .object({
      source: z.enum(['run', 'build']),
      release: z.number().int().nullable(),
      lines: z.array(z.string()),
      offset: z.number().int().nullable().describe('Send this as Last-Event-ID to follow the log from here.'),
      truncated: z.boolean().describe('Whether there are earlier lines.'),
    })
    .meta({ id: 'Log' }),
  files: z.object({ files: z.array(z.object({ path: z.string(), size: z.number().int(), url: z.string() })) }),
  refreshed: z
    .object({
      notes: z.array(z.string()).describe('General notes, such as errors in config.json.'),
      apps: z.array(z.object({ app: z.string(), outcome: z.enum(outcomes), sentence: z.string() })),
    })
    .meta({ id: 'Refreshed' }),
  saved: z.object({
    path: z.string(),
    etag: z.string(),
    deploy: deploy
      .nullable()
      .describe('The deploy that was started; null while an app that was never deployed lacks files.'),
    lacks: z.string().nullable().describe('What such an app still lacks.'),
  }),
  nodes: z.object({
    clustered: z.boolean().describe('False where apps run on the machine of the server alone; nodes is empty then.'),
    nodes: z.array(
      z.object({
        name: z.string(),
        address: z.string().nullable(),
        role: z.enum(['manager', 'worker']),
        state: z.string().describe("Swarm's own word: ready, down, disconnected or unknown."),
        availability: z.string().describe('Whether it gets new work: active, pause or drain.'),
        apps: z
          .array(z.object({ id: z.string(), release: z.number().int(), state: z.string() }))
          .describe('One entry for each process of an app that Swarm has sent there, with the state of its task.'),
      }),
    ),
  }),
  checks: z.object({
    checks: z.array(
      z.object({
        name: z.string(),
        ok: z.boolean(),
        message: z.string().describe('What was found, or what is wrong and what to do.'),
      }),
    ),
  }),
  repairs: z.object({
    repairs: z.array(
      z.object({ ok: z.boolean(), message: z.string().describe('What was done, or why it could not be.') }),
    ),
  }),
  backup: z.object({
    place: z.string(),
    removed: z.array(z.string()).describe('The names of older backups that were removed.'),
  }),
  loginLink: z.object({ url: z.string(), expires_at: z.string() }),
  stopping: z.object({ stopping: z.literal(true), keep_apps: z.boolean() }),
  reloaded: z.object({
    reloaded: z.literal(true),
    pid: z.number().int().describe('The process id of the new server.'),
  }),
  problem: z
    .object({
      type: z.string(),
      title: z.string(),
      status: z.number().int(),
      detail: z.string().describe('A human-readable explanation.'),
      code: z.string().describe('A stable error code for scripts.'),
      field: z.string().optional().describe('The invalid field, if any.'),
      choices: z.array(z.string()).optional().describe('What would work instead, such as possible main files.'),
      instance: z.string(),
    })
    .meta({ id: 'Problem' }),
};

export type OverviewAnswer = z.infer<typeof answers.apps>;
export type AppAnswer = z.infer<typeof answers.app>;
export type PreviewsAnswer = Pick<z.infer<typeof answers.appWithPreviews>, 'previews_on' | 'previews'>;
export type ChangedAnswer = z.infer<typeof answers.changed>;
export type BackupAnswer = z.infer<typeof answers.backup>;
export type NodesAnswer = z.infer<typeof answers.nodes>;
export type ChecksAnswer = z.infer<typeof answers.checks>;
export type RepairsAnswer = z.infer<typeof answers.repairs>;
export type DeployAnswer = z.infer<typeof answers.deploy>;
export type RefreshedAnswer = z.infer<typeof answers.refreshed>;
export type ProblemAnswer = z.infer<typeof answers.problem>;
