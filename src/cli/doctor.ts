import { Refusal } from '../errors.js';
import type { ChecksAnswer, RepairsAnswer } from '../web/api/answers.js';
import type { Context } from './context.js';
import { harmless, pad } from './text.js';

/**
 * Has the server check itself, and shows a line for each check.
 * @param options.fix has it repair first what it can, with a line for each repair
 * @throws Refusal `checks-failed` where something is wrong
 */
export async function doctor(cli: Context, { fix = false }: { fix?: boolean } = {}): Promise<void> {
  const { out } = cli;
  const api = await cli.api();
  const repairs = fix ? (await api.post<RepairsAnswer>('/server/repairs')).repairs : undefined;
  const answer = await api.get<ChecksAnswer>('/server/checks');
  if (out.json) out.data({ ...(repairs && { repairs }), ...answer });
  for (const { ok, message } of out.json ? [] : (repairs ?? []))
    out.print(`${ok ? out.paint('green', 'fixed  ') : out.paint('red', 'problem')}  ${harmless(message)}`);
  if (repairs?.length === 0) out.note('Nothing to fix.');
  const width = Math.max(...answer.checks.map(({ name }) => name.length));
  for (const { name, ok, message } of out.json ? [] : answer.checks) {
    const word = ok ? out.paint('green', 'ok     ') : out.paint('red', 'problem');
    out.print(`${word}  ${pad(harmless(name), width)}  ${harmless(message)}`);
  }
  const failed = answer.checks.filter(({ ok }) => !ok).map(({ name }) => name);
  if (failed.length > 0) throw new Refusal('conflict', 'checks-failed', `Problems found: ${failed.join(', ')}.`);
}
