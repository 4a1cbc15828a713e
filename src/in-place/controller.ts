import type { Deploy } from '../deploys/ongoing.js';
import type { Principal } from '../domain/access/principal.js';

/** What came of one app of a folder of apps. */
export const outcomes = ['added', 'restarted', 'changed', 'removed', 'failed', 'skipped', 'unchanged'] as const;

/** What a refresh did with a folder. */
export type Outcome = (typeof outcomes)[number];

/** What was done with one app, with a sentence on it. */
export interface AppOutcome {
  app: string;
  outcome: Outcome;
  sentence: string;
}

/** What a look at config.json and the folder of apps came to. */
export interface Refreshed {
  /** What is to be known of the whole, such as the mistakes in config.json; one sentence each. */
  notes: string[];
  apps: AppOutcome[];
}

/** What can be done with the apps that run in place, as listed in config.json. */
export interface Controller {
  /** What the last look at config.json found to be wrong, one sentence each; the last valid version stays in effect. */
  mistakes(): readonly string[];
  /**
   * Reads config.json and the folder of apps again: adds what is new, restarts what changed or died though it is wanted,
   * removes what is gone. What a person has stopped stays stopped. Bad input is reported in the notes and does not throw.
   */
  refresh(by: Principal): Promise<Refreshed>;
  /**
   * Takes the apps of another installation into config.json, to be run where they are.
   * @param path a folder with config.json or apps, or the config.json itself; absolute
   * @throws Refusal `import-missing`, `config-invalid`
   */
  import(path: string, by: Principal): Promise<Refreshed>;
  /**
   * Makes the files of an app in place the first commit of a repository of its own, and deploys that. Once it is live, the
   * app runs in place no more; until then, and where the deploy fails, it does.
   * @throws Refusal `not-in-place`, and those of a commit that cannot become a release
   */
  adopt(id: string, by: Principal): Promise<Deploy>;
}
