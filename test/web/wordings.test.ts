import { describe, expect, it } from 'vitest';
import { wordsOf } from '../../src/web/messages/messages.js';
import { sentences } from '../../src/web/messages/zh-CN-sentences.js';
import { HOLE, refusalsMade, textsWritten } from '../helpers/wordings.js';

const chinese = await wordsOf('zh-CN');
const refusals = refusalsMade();
const written = textsWritten();

/** How the checks of forms begin their sentences: what follows is put together. */
const COMPOSED = /^(?:"\{field\}"|The request) /;

/** What the checks of forms and of settings make of a field and what the library says of it, or of what is a rule of their own. */
const PUT_TOGETHER = /^(?:"\{\}"|The request|streamlit-host\.toml(?:, \{\})?: \{\}) \{\}\.$/;

/** Where what is refused reaches no page: at a start, in a terminal, or in git's answer to a push. */
const ELSEWHERE = /^(?:backup|cli|git|redis|server)\//;
const AT_START = ['cannot-listen', 'cage-unavailable'];
/** Or in the answer to a CI job. */
const TO_JOBS = /^ci-(?:audience-wrong|issuer-unreachable|jobs?-|not-trusted|token-)/;

describe('the sentences that were made in English', () => {
  it('are still made in the sources', () => {
    const bare = (text: string): string => text.replaceAll(HOLE, '').replace(/\s+/g, ' ').toLowerCase();
    const all = bare([...new Set([...written, ...refusals.flatMap(({ wordings }) => wordings)])].join('\n'));
    const gone = Object.keys(sentences).filter((sentence) => {
      if (COMPOSED.test(sentence)) return false;
      // What stands between the values; a reason is a clause in the source, without its capital and its full stop.
      const parts = bare(sentence.replace(/\.$/, '')).split(/\{\w+\}|[,.;()]/);
      return parts.some((part) => part.trim().length > 12 && !all.includes(part.trim()));
    });
    expect(gone).toEqual([]);
  });

  it('are translated where a page can show them, whatever is refused', () => {
    expect(refusals.length).toBeGreaterThan(250);
    const missing = refusals
      .filter(({ place, code }) => !ELSEWHERE.test(place) && !AT_START.includes(code) && !TO_JOBS.test(code))
      .flatMap(({ place, code, wordings }) =>
        // What is a value as a whole is the wording of another place, or what a program has printed.
        [...new Set(wordings)].filter((text) => /[^\s{}.]/.test(text)).map((text) => ({ place, code, text })),
      )
      .filter(({ text }) => !PUT_TOGETHER.test(text))
      .filter(({ text }) => !/\p{Script=Han}/u.test(chinese.sentence(text.replaceAll(HOLE, 'owner'))));
    expect(missing).toEqual([]);
  });
});
