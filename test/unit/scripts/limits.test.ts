import { expect, it } from 'vitest';
import { lackOfFiles } from '../../../scripts/lib/limits.js';

const limits = (most: string): string => `Limit                     Soft Limit           Hard Limit           Units
Max processes             95985                95985                processes
Max open files            ${most.padEnd(20)} 1048576              files
`;

it('a program that may open only a few files says so in one sentence, with the way out', () => {
  expect(lackOfFiles(limits('20'))).toBe(
    'Only 20 files may be open at once, and streamlit-host needs at least 64. Raise the limit, for example with "ulimit -n 1024".',
  );
});

it.each(['64', '1024', 'unlimited'])('a limit of %s open files is enough', (most) => {
  expect(lackOfFiles(limits(most))).toBeUndefined();
});

it('a system that does not tell its limits is taken to have none', () => {
  expect(lackOfFiles('')).toBeUndefined();
});
