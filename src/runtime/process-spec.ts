import type { LogFile } from '../logs/log-file.js';
import type { Confines } from './process/cage/spec.js';
import type { Instance } from './runtime.js';

/** What is to be run for a release. */
export interface ProcessSpec {
  app: string;
  release: number;
  /** Which replica of the release it is at first; omitted = the first. */
  replica?: number;
  /** argv of the interpreter, which reads on stdin what to run. */
  command: readonly string[];
  /** argv of what the interpreter runs. */
  order: readonly string[];
  cwd: string;
  /** Returns the files and folders that it needs and that only it has. @param key as of `ProcessPlace` */
  files?: (key: string) => readonly string[];
  /** Returns the whole environment of the process at its address, except its mark. Called at each start. */
  environment(at: ProcessPlace): Record<string, string> | Promise<Record<string, string>>;
  /** Returns what it may reach, at each start; everything that the server can reach unless given. */
  confines?: () => Promise<Confines | undefined>;
  /** Finds an interpreter that was started ahead and fits this process. */
  ahead?: (environment: Readonly<Record<string, string>>) => Promise<Instance | undefined>;
  /** The preferred port; another one is used if it is taken. Without it, each instance is handed a socket. */
  port?: number | 'any' | undefined;
  /** Whether it is restarted after a crash, asked each time; true by default. */
  restarts?: () => boolean;
  /** The path of the health check, such as `/apps/hello/_stcore/health`. */
  healthPath: string;
  /** How long a start may take until the health check answers, in ms. */
  startLimitMs: number;
  /** The limit of resident memory of it and its children, in bytes; omitted = no limit. */
  memoryLimit?: number | undefined;
  /** How many processes and threads it may have, and how many cores it may use; omitted = no limit. */
  taskLimit?: number | undefined;
  cpuLimit?: number | undefined;
  log: LogFile;
}

/** What the environment of a process may depend on. */
export interface ProcessPlace {
  /** Tells its files from those of others of its release that run at the same time. */
  key: string;
  /** Where it is to listen on a port. */
  port: number | undefined;
}
