import { constants } from 'node:os';
import type { Exit } from './runtime.js';

/** How a command ended, by the exit code of what has waited for it, which reports a signal as a shell does. */
export function exitWithin(code: number | null, signal: NodeJS.Signals | null = null): Exit {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  const [name] = names.find(([, number]) => code === 128 + number) ?? [];
  return name === undefined ? { code, signal } : { code: null, signal: name };
}
