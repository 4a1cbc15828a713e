import type { Api } from './api.js';
import type { Output } from './output.js';

/** The options that every verb has. */
export interface GlobalOptions {
  json?: boolean;
  verbose?: boolean;
  url?: string;
  tokenFile?: string;
}

/** What a verb gets. */
export interface Context {
  options: GlobalOptions;
  out: Output;
  env: NodeJS.ProcessEnv;
  /** The person's current folder. */
  cwd: string;
  /** Runs the server from here; undefined if only the command line is installed. */
  launcher: Launcher | undefined;
  /** Returns the API of the selected server. @throws Refusal `no-server` where none is known */
  api(): Promise<Api>;
}

/** How to run a server from here. The script of the command provides it. */
export interface Launcher {
  /** The folder whose `data` is the default data folder: a checkout, or a folder in the person's home. */
  root: string;
  /** Runs set-up if necessary, as in a fresh clone. @param options.load true to load the server meanwhile */
  prepare(options: { env: NodeJS.ProcessEnv; say: (line: string) => void; load?: boolean }): Promise<void>;
  /**
   * Runs the server in this process until it stops; it reads its settings from the process environment.
   * @param options.successor true to replace the server that started this process
   * @param options.detached true if nobody takes the end of this process for the end of the server
   */
  serve(options: { successor: boolean; detached: boolean }): Promise<void>;
  /** The program and arguments of the command itself, to run the server in its own process. */
  command: readonly [string, ...string[]];
}
