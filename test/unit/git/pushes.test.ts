import { expect, it } from 'vitest';
import { system } from '../../../src/domain/access/principal.js';
import { HookGone, type HookCall } from '../../../src/git/hook-server.js';
import { Pushes, type PushOptions } from '../../../src/git/pushes.js';

const PARTS: Partial<PushOptions> = { headStarts: { begin: () => undefined, settle: () => undefined } };

/** What is logged, and how the hook ends, where git's input fails. */
async function cutOff(failure: Error): Promise<{ logged: string[]; said: string[]; codes: number[] }> {
  const [logged, said, codes]: [string[], string[], number[]] = [[], [], []];
  const logger: PushOptions['logger'] = {
    warn: (_facts, text) => void logged.push(`warning: ${text}`),
    error: (_facts, text) => void logged.push(`error: ${text}`),
  };
  // Its input fails before anything else of it is needed.
  const pushes = new Pushes({ ...PARTS, logger } as PushOptions);
  const call: HookCall = {
    hook: 'pre-receive',
    push: pushes.open('hello', system('ada')),
    env: {},
    options: [],
    input: (async function* () {
      yield Buffer.from('0000');
      throw failure;
    })(),
    answer: () => undefined,
    say: (text) => void said.push(text),
    exit: (code) => void codes.push(code),
  };
  await pushes.handle(call);
  return { logged, said, codes };
}

it('a push whose git was killed is logged as cut off', async () => {
  expect(await cutOff(new HookGone())).toEqual({ logged: ['warning: a push was cut off'], said: [], codes: [1] });
});

it('a push that fails for an unforeseen reason is logged as an error', async () => {
  expect(await cutOff(new TypeError('oops'))).toEqual({
    logged: ['error: a push failed'],
    said: ['streamlit-host: Internal error; see the server log.'],
    codes: [1],
  });
});
