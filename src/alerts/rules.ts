/** What people are told of: which rule, its name, and what is said once a problem has passed. */
const RULES = {
  down: { title: 'App down', passed: 'The app serves again.' },
  'crash-loop': { title: 'App keeps crashing', passed: 'The app has stopped crashing.' },
  'deploy-failed': { title: 'Deploy failed', passed: 'The app deploys again.' },
  memory: { title: 'Memory nearly full', passed: 'Memory is no longer nearly full.' },
  disk: { title: 'Disk nearly full', passed: 'The disk has room again.' },
  exception: { title: 'New exception', passed: '' },
  wake: { title: 'Slow wake', passed: 'The app wakes in good time again.' },
} as const;

export type Rule = keyof typeof RULES;

/** All rules, those that matter most first. */
export const ruleNames = Object.keys(RULES) as [Rule, ...Rule[]];

/** The name of a rule, as people read it. */
export function titleOf(rule: Rule): string {
  return RULES[rule].title;
}

/** The sentence that says that a problem has passed. */
export function passedOf(rule: Rule): string {
  return RULES[rule].passed;
}

/** Thresholds, chosen so that a healthy server sends nothing. Times in ms. */
export const LIMITS = {
  /** How long an app that should serve may not serve: a start takes some seconds, a restart less. */
  downMs: 60_000,
  /** So many restarts after a crash within this time are a loop. */
  crashes: 3,
  crashesMs: 10 * 60_000,
  /** The share of a memory limit from which on an app is told of, and below which it has recovered, after so many spans of 10 s. */
  memory: { from: 0.9, below: 0.8, spans: 3 },
  /** The same for the memory of the machine. */
  machineMemory: { from: 0.95, below: 0.9, spans: 3 },
  /** The same for the disk with the data folder. */
  disk: { from: 0.95, below: 0.93, spans: 1 },
  /** How long a visitor may wait for an app to wake. */
  wakeMs: 30_000,
} as const;
