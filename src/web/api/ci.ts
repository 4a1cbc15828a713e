import { z } from 'zod';
import type { NewCiRule } from '../../domain/access/ci.js';
import type { CiRule } from '../../domain/access/ci-rule.js';
import { about } from '../audited.js';
import { signedIn } from '../auth.js';
import { jsonReader } from './json.js';
import { route, type ApiContext, type Route } from './route.js';
import { params } from './schemas.js';

const ruleSchema = z
  .object({
    id: z.string(),
    issuer: z.string().describe('github, gitlab, or the host of another issuer that this server trusts.'),
    repository: z.string(),
    repository_id: z
      .string()
      .nullable()
      .describe(
        "The service's number of the repository; null until its first job. Another repository of that name is refused.",
      ),
    branch: z.string().nullable().describe('The branch that jobs must run on; null = any branch or tag.'),
    environment: z.string().nullable().describe('The environment that jobs must name; null = any, or none.'),
    by: z.string(),
    created_at: z.string(),
  })
  .meta({ id: 'CiRule' });
const listSchema = z.object({
  rules: z.array(ruleSchema),
  issuers: z.array(z.string()).describe('The CI services that rules can name.'),
  audience: z.string().describe('The audience that jobs must request their ID tokens for.'),
});
const tokenSchema = z
  .object({
    token: z.string().describe('The deploy token.'),
    app: z.string(),
    expires_at: z.string(),
  })
  .meta({ id: 'CiToken' });

export type CiRuleAnswer = z.infer<typeof ruleSchema>;
export type CiRulesAnswer = z.infer<typeof listSchema>;

const text = z.string().max(300);
const ruleBody = z.strictObject({
  issuer: text.describe('github, gitlab, or the URL of another issuer that this server trusts.'),
  repository: text.describe('Such as owner/name at GitHub, and group/project at GitLab.'),
  repository_id: text.optional().describe("The service's number of the repository; default: that of its first job."),
  branch: text.optional().describe('The branch that jobs must run on. A branch, an environment or both are required.'),
  environment: text.optional().describe('The environment that jobs must name.'),
});
const exchangeBody = z.strictObject({
  token: z.string().max(16_384).describe("The job's ID token, with the public URL of this server as its audience."),
  app: z.string().max(100).describe('The app to deploy.'),
});
const withRule = params.app.extend({ rule: z.string().max(100).describe("The rule's id.") });

/** The calls about CI jobs that deploy without a secret. */
export function ciRoutes(api: ApiContext): Route[] {
  const { ci } = api;
  const readJson = jsonReader();
  const present = (rule: CiRule): CiRuleAnswer => ({
    ...{ id: rule.id, issuer: ci.issuerName(rule), repository: rule.repository },
    ...{ repository_id: rule.repositoryId ?? null, branch: rule.branch ?? null, environment: rule.environment ?? null },
    ...{ by: rule.by, created_at: new Date(rule.createdAt).toISOString() },
  });
  const common = { tag: 'people' } as const;
  return [
    route({
      ...common,
      method: 'get',
      path: '/apps/{id}/ci-rules',
      can: 'access',
      summary: 'List the CI jobs that may deploy an app',
      params: params.app,
      answers: { 200: { description: 'The newest first.', content: { 'application/json': listSchema } } },
      async handle(ctx, input) {
        const issuers = ci.issuers().map(({ name }) => name);
        ctx.body = { rules: ci.rules(input.params.id).map(present), issuers, audience: ci.audience() };
      },
    }),

    route({
      ...common,
      method: 'post',
      path: '/apps/{id}/ci-rules',
      can: 'access',
      summary: 'Let CI jobs of a repository deploy an app',
      description: 'They get a deploy token for 15 minutes with POST /ci/token.',
      params: params.app,
      body: { 'application/json': ruleBody },
      codes: ['ci-issuer-unknown', 'ci-rule-invalid', 'ci-rules-too-many', 'preview-roles'],
      answers: { 201: { description: 'The rule.', content: { 'application/json': ruleSchema } } },
      async handle(ctx, input) {
        const { repository_id: repositoryId, ...wanted } = await readJson(ctx, ruleBody);
        about(ctx, ruleText(wanted));
        ctx.body = present(await ci.add(input.params.id, { ...wanted, repositoryId }, signedIn(ctx).principal));
        ctx.status = 201;
      },
    }),

    route({
      ...common,
      method: 'delete',
      path: '/apps/{id}/ci-rules/{rule}',
      can: 'access',
      summary: 'Remove a CI rule',
      description: 'The tokens that jobs got by it end at once.',
      params: withRule,
      codes: ['ci-rule-not-found'],
      answers: { 204: { description: 'Its jobs can no longer deploy.' } },
      async handle(ctx, input) {
        await ci.remove(input.params.id, input.params.rule);
        ctx.status = 204;
      },
    }),

    route({
      ...common,
      method: 'post',
      path: '/ci/token',
      can: 'anyone',
      summary: "Exchange a CI job's ID token for a deploy token",
      description:
        'For jobs of GitHub Actions and GitLab CI that a rule of the app allows. Each ID token works once. The deploy token works for ' +
        '15 minutes; git takes it as the password.',
      body: { 'application/json': exchangeBody },
      codes: [
        ...(['ci-audience-wrong', 'ci-issuer-unreachable', 'ci-job-not-trusted', 'ci-jobs-too-many'] as const),
        ...(['ci-not-trusted', 'ci-token-expired', 'ci-token-invalid', 'ci-token-used', 'record-unreadable'] as const),
      ],
      answers: { 200: { description: 'The deploy token.', content: { 'application/json': tokenSchema } } },
      async handle(ctx) {
        const { token, app } = await readJson(ctx, exchangeBody);
        const made = await ci.exchange({ token, app, from: ctx.ip });
        ctx.body = { token: made.secret, app, expires_at: new Date(made.token.expiresAt).toISOString() };
      },
    }),
  ];
}

/** A rule in a few words, for the audit log. */
export function ruleText({ issuer, repository, branch, environment }: NewCiRule): string {
  const words = [issuer, repository, branch ?? '', environment ? `environment ${environment}` : ''];
  return words.filter((word) => word !== '').join(' ');
}
