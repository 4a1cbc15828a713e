import { Refusal } from '../errors.js';
import type { ChecksAnswer } from '../web/api/answers.js';
import type { Context } from './context.js';
import { harmless, pad } from './text.js';

/**
 * Has the server check itself, and shows a line for each check.
 * @throws Refusal `checks-failed` where something is wrong
 */
export async function doctor(cli: Context): Promise<void> {
  const { out } = cli;
  const answer = await (await cli.api()).get<ChecksAnswer>('/server/checks');
  if (out.json) out.data(answer);
  const width = Math.max(...answer.checks.map(({ name }) => name.length));
  for (const { name, ok, message } of out.json ? [] : answer.checks) {
    const word = ok ? out.paint('green', 'ok     ') : out.paint('red', 'problem');
    out.print(`${word}  ${pad(harmless(name), width)}  ${harmless(message)}`);
  }
  const failed = answer.checks.filter(({ ok }) => !ok).map(({ name }) => name);
  if (failed.length > 0) throw new Refusal('conflict', 'checks-failed', `Problems found: ${failed.join(', ')}.`);
}
