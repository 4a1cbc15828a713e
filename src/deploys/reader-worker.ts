import { answerQuestions } from '../lib/workers.js';
import type { Question } from './reader.js';
import { readings } from './readings.js';

// What the reader's thread runs.
answerQuestions((question) => {
  const { what, args } = question as Question;
  return (readings[what] as (...all: unknown[]) => unknown)(...args);
});
