import type { Masks } from '../app-config/masks.js';
import type { Configs } from '../apps/config.js';
import type { AppFiles } from '../apps/files.js';
import type { Apps } from './apps.js';
import type { AppPreviews } from './previews.js';
import type { Releases } from './releases.js';

/** Everything that people can do with apps, one object per noun, for the API, the console and the gallery. */
export interface Host {
  readonly apps: Pick<Apps, keyof Apps>;
  readonly files: Pick<AppFiles, 'list' | 'read' | 'commit'>;
  readonly releases: Pick<Releases, keyof Releases>;
  readonly config: Pick<Configs, 'of' | 'change' | 'missing' | 'rotateKey'>;
  readonly previews: Pick<AppPreviews, keyof AppPreviews>;
  /** Masks an app's values in its logs. */
  readonly masks: Pick<Masks, 'of'>;
}
