import type { Api } from './api.js';
import type { Output } from './output.js';

/** The options that every verb has. */
export interface GlobalOptions {
  json?: boolean;
  verbose?: boolean;
  url?: string;
  tokenFile?: string;
}

/** What a verb works with. */
export interface Context {
  options: GlobalOptions;
  out: Output;
  env: NodeJS.ProcessEnv;
  /** The folder that the person stands in. */
  cwd: string;
  /** How the server is run from here; undefined where this is the command line alone. */
  launcher: Launcher | undefined;
  /** The API of the server that is meant. @throws Refusal `no-server` where none is known */
  api(): Promise<Api>;
}

/** How a server is run from here: what the script of the command knows, and the command line itself does not. */
export interface Launcher {
  /** The folder whose `data` is the data folder where no other is named: a checkout, or a place in the person's home. */
  root: string;
  /** Set-up where it is needed, as in a fresh clone. */
  prepare(options: { env: NodeJS.ProcessEnv; say: (line: string) => void }): Promise<void>;
  /** Runs the server in this process until it ends; it reads its settings from the process environment. */
  serve(): Promise<void>;
  /** The program and arguments of the command itself, to run the server in a process of its own. */
  command: readonly [string, ...string[]];
}
