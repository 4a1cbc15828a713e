import type { Refusal } from '../../errors.js';
import { ruleText } from '../api/ci.js';
import { about } from '../audited.js';
import type { CiView } from '../people-views.js';
import { attempt, type Page } from './page.js';

/** What a page shows of the CI jobs that may deploy its app. @param refusal why its form was refused */
export function presentCi(page: Page, refusal?: Refusal): CiView {
  const { ci } = page.deps;
  const typed = (name: string): string => (refusal === undefined ? '' : page.field(name));
  return {
    audience: ci.audience(),
    rules: ci.rules(page.status.app.id).map((rule) => ({
      id: rule.id,
      issuer: ci.issuerName(rule),
      repository: rule.repository,
      repositoryId: rule.repositoryId,
      branch: rule.branch,
      environment: rule.environment,
      by: rule.by,
    })),
    issuers: ci.issuers().map(({ name }) => ({ name, chosen: name === typed('issuer') })),
    repository: typed('repository'),
    repositoryId: typed('repository_id'),
    branch: refusal === undefined ? 'main' : typed('branch'),
    environment: typed('environment'),
    error: page.sentence(refusal),
    field: refusal?.field,
  };
}

/** Adds the rule that a form describes. @param show the page again, with why the form was refused */
export async function addCiRule(page: Page, show: (refusal: Refusal) => Promise<void>): Promise<void> {
  return attempt(async () => {
    const { id } = page.status.app;
    const rule = {
      ...{ issuer: page.field('issuer'), repository: page.field('repository'), branch: page.field('branch') },
      ...{ repositoryId: page.field('repository_id'), environment: page.field('environment') },
    };
    about(page.ctx, ruleText(rule));
    await page.deps.ci.add(id, rule, page.by);
    page.go(`apps/${id}/access?done=ci-added`);
  }, show);
}

/** Removes the rule that a form names. @param show the page again, with why the form was refused */
export async function removeCiRule(page: Page, show: (refusal: Refusal) => Promise<void>): Promise<void> {
  return attempt(async () => {
    const { id } = page.status.app;
    about(page.ctx, page.field('rule'));
    await page.deps.ci.remove(id, page.field('rule'));
    page.go(`apps/${id}/access?done=ci-removed`);
  }, show);
}
