import type { Config } from '../settings.js';
import { ConfigFile } from '../store/config-file.js';
import { Paths } from '../store/paths.js';

/** config.json, which names apps that run in place. */
export function configFile({ controller, data }: Config): ConfigFile {
  return new ConfigFile(controller.config, new Paths(data).lastConfig, controller.apps);
}
