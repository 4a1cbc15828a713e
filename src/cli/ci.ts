import type { CiRuleAnswer, CiRulesAnswer } from '../web/api/ci.js';
import { appPath } from './api.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';

/** The options of `ci`. */
export interface CiOptions {
  branch?: string;
  environment?: string;
  repositoryId?: string;
}

/** Lists, adds or removes the rules by which CI jobs deploy an app without a secret. */
export async function ci(
  cli: Context,
  id: string,
  action: string | undefined,
  words: readonly string[],
  { branch, environment, repositoryId }: CiOptions,
): Promise<void> {
  const path = appPath(id, '/ci-rules');
  if (action === undefined) return list(cli, id, path);
  const [first, repository, ...more] = words;
  if (action === 'remove') {
    if (first === undefined || repository !== undefined) throw usage('Name the id of the rule.');
    await (await cli.api()).delete(`${path}/${encodeURIComponent(first)}`);
    if (cli.out.json) return cli.out.data({ app: id, id: first, removed: true });
    return cli.out.print(`${first} is removed. Tokens that jobs got by it no longer work.`);
  }
  if (first === undefined || repository === undefined || more.length > 0)
    throw usage(
      `Name the CI service and the repository: streamlit-host ci ${id} add github octo-org/shop --branch main.`,
    );
  const wanted = { issuer: first, repository, repository_id: repositoryId, branch, environment };
  const made = await (await cli.api()).post<CiRuleAnswer>(path, wanted);
  if (cli.out.json) return cli.out.data(made);
  cli.out.print(`${made.id}: jobs of ${made.repository} at ${made.issuer} can deploy ${id}.`);
}

async function list(cli: Context, id: string, path: string): Promise<void> {
  const { rules, audience } = await (await cli.api()).get<CiRulesAnswer>(path);
  if (cli.out.json) return cli.out.data({ app: id, rules, audience });
  cli.out.note(`Jobs request their ID tokens for ${audience}.`);
  if (rules.length === 0) return cli.out.note(`${id} trusts no CI jobs.`);
  const lines = tableLines(
    rules,
    [
      { title: 'Id', value: (each) => each.id },
      { title: 'Service', value: (each) => each.issuer },
      { title: 'Repository', value: (each) => each.repository },
      { title: 'Repository id', value: (each) => each.repository_id ?? 'of the first job' },
      { title: 'Branch', value: (each) => each.branch ?? 'any' },
      { title: 'Environment', value: (each) => each.environment ?? 'any' },
      { title: 'By', value: (each) => each.by },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}
