import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';
import type { CiRule } from './ci-rule.js';
import { parseIssuer } from './provider.js';

/** Where the jobs of each CI service get their ID tokens, unless an admin names another server of that service. */
const PUBLIC = { github: 'https://token.actions.githubusercontent.com', gitlab: 'https://gitlab.com' } as const;

/** A CI service whose ID tokens are understood. */
export type CiService = keyof typeof PUBLIC;

/** Who signs the ID tokens of CI jobs. */
export interface CiIssuer {
  service: CiService;
  /** As its tokens have it, compared letter by letter. */
  url: string;
  /** What people call it: the name of its service or, of one that an admin has named, its host. */
  name: string;
}

/** How long (ms) a deploy token works that a CI job gets. */
export const CI_TOKEN_MS = 15 * 60_000;

/** What a person says of a new rule. */
export interface NewCiRule {
  /** `github`, `gitlab`, or the URL of an issuer that an admin has named. */
  issuer: string;
  repository: string;
  repositoryId?: string | undefined;
  branch?: string | undefined;
  environment?: string | undefined;
}

/** A CI job, as its issuer describes it. */
export interface CiJob {
  repository: string;
  repositoryId: string;
  /** A full ref, such as `refs/heads/main`. */
  ref: string;
  environment: string | undefined;
  /** Why it runs, such as `push`. */
  event: string;
  /** By which people find it at the service. */
  run: string;
}

/** What a rule can miss in a job, from the coarsest to the finest. */
const traits = ['repository', 'repository id', 'event', 'branch', 'environment'] as const;

/** What a rule misses in a job. */
export type Trait = (typeof traits)[number];

/** Returns the issuers of a server: the public ones, and those that an admin has named. @param named each as `isCiIssuer` has them */
export function ciIssuers(named: readonly string[]): CiIssuer[] {
  const open = Object.entries(PUBLIC).map(([service, url]) => `${service}=${url}`);
  return [...open, ...named].flatMap((entry, place) => {
    const found = issuerIn(entry);
    return found === undefined ? [] : { ...found, name: place < open.length ? found.service : new URL(found.url).host };
  });
}

/** Returns whether a text names an issuer, such as `gitlab=https://gitlab.example.com`. */
export function isCiIssuer(text: string): boolean {
  return issuerIn(text) !== undefined;
}

/**
 * Returns what a rule is made of.
 * @param issuers those that this server trusts
 * @throws Refusal `ci-issuer-unknown`, `ci-rule-invalid`
 */
export function parseCiRule(
  input: NewCiRule,
  issuers: readonly CiIssuer[],
): Pick<CiRule, 'issuer' | 'repository' | 'repositoryId' | 'branch' | 'environment'> {
  const given = (text = ''): string | undefined => text.trim() || undefined;
  const issuer = issuers.find(({ name, url }) => input.issuer.trim() === name || input.issuer.trim() === url);
  if (issuer === undefined) {
    const sentence = `This server doesn't know the CI service "${printable(input.issuer)}". Use ${issuers.map(({ name }) => name).join(', ')}, or ask an admin to add it to STREAMLIT_HOST_CI_ISSUERS.`;
    throw new Refusal('invalid', 'ci-issuer-unknown', sentence, { field: 'issuer' });
  }
  const repository = input.repository.trim();
  const form = issuer.service === 'github' ? /^[\w.-]+\/[\w.-]+$/ : /^[\w.-]+(\/[\w.-]+)+$/;
  const example = issuer.service === 'github' ? 'owner/name' : 'group/project';
  if (!form.test(repository) || repository.length > 255)
    throw invalid('repository', `Name the repository as ${example}.`);
  const repositoryId = given(input.repositoryId);
  if (repositoryId !== undefined && !/^\d{1,20}$/.test(repositoryId))
    throw invalid('repository_id', "The repository's id is a number.");
  const branch = given(input.branch)?.replace(/^refs\/heads\//, '');
  // What git allows in the name of a branch (https://git-scm.com/docs/git-check-ref-format), so no pattern either.
  if (branch !== undefined && (branch.length > 250 || /[\s~^:?*[\\\p{Cc}\p{Cs}]|\.\./u.test(branch)))
    throw invalid('branch', 'Name one branch, such as main. Patterns are not supported.');
  const environment = given(input.environment);
  if (environment !== undefined && (environment.length > 255 || /[\p{Cc}\p{Cs}]/u.test(environment)))
    throw invalid('environment', 'Use the name of an environment with at most 255 characters.');
  if (branch === undefined && environment === undefined)
    throw invalid('branch', 'Name a branch or an environment. Otherwise, every job of the repository could deploy.');
  return {
    ...{ issuer: issuer.url, repository },
    ...(repositoryId === undefined ? {} : { repositoryId }),
    ...(branch === undefined ? {} : { branch }),
    ...(environment === undefined ? {} : { environment }),
  };
}

const id = z
  .union([z.string(), z.int()])
  .transform(String)
  .pipe(z.string().regex(/^\d{1,20}$/));
const text = z.string().min(1).max(500);

/** https://docs.github.com/en/actions/reference/security/oidc */
const githubSchema = z.object({
  ...{ repository: text, repository_id: id, ref: text, event_name: text, run_id: id, environment: text.optional() },
});

/** https://docs.gitlab.com/ci/secrets/id_token_authentication/ */
const gitlabSchema = z.object({
  ...{ project_path: text, project_id: id, ref: text, ref_type: text, pipeline_source: text, pipeline_id: id },
  environment: text.optional(),
});

/** Reads the job from the claims of an ID token whose signature is right; undefined where it describes none. */
export function readJob(service: CiService, claims: Record<string, unknown>): CiJob | undefined {
  if (service === 'github') {
    const job = githubSchema.safeParse(claims).data;
    return (
      job && {
        ...{ repository: job.repository, repositoryId: job.repository_id, ref: job.ref, event: job.event_name },
        ...{ environment: job.environment, run: job.run_id },
      }
    );
  }
  const job = gitlabSchema.safeParse(claims).data;
  const folder = job === undefined ? undefined : { branch: 'heads', tag: 'tags' }[job.ref_type];
  return (
    job && {
      ...{ repository: job.project_path, repositoryId: job.project_id, event: job.pipeline_source },
      ...{ environment: job.environment, run: job.pipeline_id, ref: `refs/${folder ?? 'other'}/${job.ref}` },
    }
  );
}

/**
 * Jobs that may run what strangers propose. GitHub starts some of these kinds on the default branch, also for strangers
 * (https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows).
 */
const PROPOSED = /^(pull_request.*|workflow_run|issue_comment|merge_request_event|external_pull_request_event)$/;

/** Returns what a rule misses in a job of its issuer; undefined where the job is trusted. */
export function missedBy(rule: CiRule, job: CiJob): Trait | undefined {
  // Services take them for the same in any case.
  if (rule.repository.toLowerCase() !== job.repository.toLowerCase()) return 'repository';
  // A repository that is registered under the name of one that was renamed or deleted has another number.
  if (rule.repositoryId !== undefined && rule.repositoryId !== job.repositoryId) return 'repository id';
  if (PROPOSED.test(job.event) || !/^refs\/(heads|tags)\//.test(job.ref)) return 'event';
  if (rule.branch !== undefined && job.ref !== `refs/heads/${rule.branch}`) return 'branch';
  if (rule.environment !== undefined && job.environment !== rule.environment) return 'environment';
  return undefined;
}

/** Returns which of several rules came closest to a job that none trusts, by what it misses; the repository without any rule. */
export function closestMiss(rules: readonly CiRule[], job: CiJob): Trait {
  const place = (rule: CiRule): number => traits.indexOf(missedBy(rule, job) ?? 'repository');
  return traits[Math.max(0, ...rules.map(place))] ?? 'repository';
}

/** What a job has of a trait, for a sentence. */
export function traitOf(job: CiJob, trait: Trait): string {
  const values = { repository: job.repository, 'repository id': job.repositoryId, event: job.event, branch: job.ref };
  const value = trait === 'environment' ? job.environment : values[trait];
  return value === undefined ? 'none' : `"${printable(value)}"`;
}

/** Who deploys where a job does, as records show it: `ci:github:owner/repository@main`. */
export function jobName({ name }: CiIssuer, { repository, ref }: CiJob): string {
  return `ci:${name}:${printable(repository)}@${printable(ref.replace(/^refs\/(heads|tags)\//, ''))}`;
}

function issuerIn(text: string): Pick<CiIssuer, 'service' | 'url'> | undefined {
  const [, name, url = ''] = /^(\w+)=(.+)$/.exec(text) ?? [];
  const service = (['github', 'gitlab'] as const).find((one) => one === name);
  return service === undefined || parseIssuer(url) === undefined ? undefined : { service, url };
}

function invalid(field: string, sentence: string): Refusal {
  return new Refusal('invalid', 'ci-rule-invalid', sentence, { field });
}
