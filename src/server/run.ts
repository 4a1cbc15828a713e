import { createLogger } from '../logger.js';
import { refusalOf } from '../errors.js';
import { configFile } from './config-file.js';
import { Predecessor } from './predecessor.js';
import { serve } from './serve.js';
import { standIn } from './stand-in.js';
import { ConfigError, readConfig, type Config } from '../settings.js';
import { LogFolder } from '../store/log-folder.js';

/** How long connections may take to end by themselves once the server has stopped, in ms. */
const LINGER_MS = 2_000;

/** How a server is started. */
export interface RunOptions {
  /** True if the server that started this process is to be replaced by it. */
  successor?: boolean;
  /** True if nobody takes the end of this process for the end of the server. */
  detached?: boolean;
}

/** The whole server, from the process environment to its end. Expected mistakes end it with one line. */
export async function run({ successor = false, detached = false }: RunOptions = {}): Promise<void> {
  // A process that was started with a channel can send.
  const predecessor = successor ? new Predecessor(process) : undefined;
  try {
    const config = await settings();
    const logs = await LogFolder.open(config.controller.logs);
    const folder = typeof logs === 'string' ? undefined : logs;
    const copy =
      folder === undefined
        ? undefined
        : (line: string): void => void folder.controller.append(line).catch(() => undefined);
    const logger = createLogger(config.logLevel, process.stdout, copy);
    if (typeof logs === 'string') logger.warn(logs);
    const ended = await serve(config, logger, folder, predecessor);
    const code = ended.by === 'reload' && !successor && !detached ? await standIn(ended.record, ended.asked) : 0;
    // What still waits for something that went away, such as a Redis of another machine, must not keep us.
    process.exitCode = code;
    setTimeout(() => process.exit(), LINGER_MS).unref();
  } catch (error) {
    const expected = error instanceof ConfigError ? error : refusalOf(error);
    process.stderr.write(`streamlit-host: ${expected?.message ?? String((error as Error).stack ?? error)}\n`);
    await predecessor?.failed(expected?.message ?? String(error));
    // What was started already (Redis, adopted apps) would keep the process alive; the next start takes it over.
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}

/** The settings; config.json may name the port where nothing else does. */
async function settings(): Promise<Config> {
  const config = readConfig(process.env, process.cwd());
  const { websitePort } = (await configFile(config).read()).config;
  return websitePort === undefined ? config : readConfig(process.env, process.cwd(), { port: websitePort });
}
