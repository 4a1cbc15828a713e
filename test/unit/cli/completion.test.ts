import { expect, it } from 'vitest';
import { completion } from '../../../src/cli/completion.js';
import type { Context } from '../../../src/cli/context.js';
import { createProgram, verbsOf } from '../../../src/cli/program.js';

async function scriptFor(shell: string): Promise<string> {
  let text = '';
  const verbs = verbsOf(createProgram(() => ({}) as Context, '1.2.3'));
  await completion({ out: { write: (part: string) => (text += part) } } as unknown as Context, shell, verbs);
  return text;
}

it.each(['zsh', 'fish'])('completion in %s offers every verb except the hidden one', async (shell) => {
  const text = await scriptFor(shell);
  for (const { name } of verbsOf(createProgram(() => ({}) as Context, '1.2.3'))) expect(text).toContain(name);
  expect(text).not.toMatch(/__apps['"]?:/);
});

it('completion quotes special characters in summaries', async () => {
  expect(await scriptFor('zsh')).toContain(`local server'\\''s`);
});

it('completion is refused for an unknown shell', async () => {
  await expect(scriptFor('tcsh')).rejects.toMatchObject({ code: 'usage' });
});
