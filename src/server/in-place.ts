import { Adoption, type AdoptionOptions } from '../in-place/adoption.js';
import type { Controller } from '../in-place/controller.js';
import { Folders, type FoldersOptions } from '../in-place/folders.js';
import { Importer } from '../in-place/importer.js';
import { Watcher } from '../in-place/watcher.js';
import type { Logger } from '../logger.js';
import type { Config } from '../settings.js';

export interface InPlaceOptions extends Omit<FoldersOptions, 'apps' | 'watcher'>, AdoptionOptions {
  config: Pick<Config, 'controller'>;
  logger: Logger;
}

/** The apps that run in folders of their own on this machine. */
export interface InPlace {
  controller: Controller;
  /** Finds them, deploys what has changed, and watches those that are to be watched. */
  begin(): Promise<void>;
  /** Stops watching. */
  rest(): Promise<void>;
  /** Ends an adoption in progress. */
  close(): Promise<void>;
}

/** Creates what looks after in-place apps. Nothing is looked at yet. */
export function openInPlace(options: InPlaceOptions): InPlace {
  const { config, paths, file, logger } = options;
  const watcher = new Watcher({ logger });
  const folders = new Folders({
    ...options,
    // Our own records of apps are not apps.
    apps: config.controller.apps === paths.apps ? undefined : config.controller.apps,
    watcher,
  });
  const importer = new Importer(file, folders);
  const adoption = new Adoption(options);
  return {
    controller: {
      mistakes: () => folders.mistakes,
      refresh: (by) => folders.refresh(by),
      import: (path, by) => importer.import(path, by),
      adopt: (id, by) => adoption.adopt(id, by),
    },
    begin: () => folders.begin(),
    rest: () => watcher.close(),
    close: () => adoption.close(),
  };
}
