import { lowerThread } from '../lib/priority.js';
import { answerQuestions } from '../lib/workers.js';
import { filesSize, folderSize, type SizeLimits } from './folder-size.js';
import type { AppSize, SizeQuestion } from './sizes.js';

/** So many files, and so much time, are enough for a figure. */
const LIMITS: SizeLimits = { entries: 200_000, ms: 5_000 };

// What the thread runs that measures folders.
lowerThread();
answerQuestions((question): AppSize => {
  const { storage, logs } = question as SizeQuestion;
  return { storage: folderSize(storage, LIMITS), logs: filesSize(logs) };
});
