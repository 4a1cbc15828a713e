import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { Pushes } from '../../../src/git/pushes.js';

it('a git that is killed before it says what is pushed ends the push with a sentence, and is not an error of the server', async () => {
  const logged: string[] = [];
  const pushes = new Pushes({
    headStarts: { begin: () => undefined, settle: () => undefined },
    logger: { warn: () => logged.push('warn'), error: () => logged.push('error') },
  } as never);
  const said: unknown[] = [];
  await pushes.handle({
    hook: 'proc-receive',
    push: pushes.open('shop', { kind: 'system' } as never),
    input: Readable.from([Buffer.from('0')]),
    say: (line: string) => said.push(line),
    answer: () => undefined,
    exit: (code: number) => said.push(code),
  } as never);
  expect(said).toEqual(['streamlit-host: Git on the server ended before it said what is pushed. Push again.', 1]);
  expect(logged).toEqual(['warn']);
});
