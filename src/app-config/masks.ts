import { Refusal } from '../errors.js';
import { maskUrls } from '../lib/mask-urls.js';
import { createMask } from '../logs/mask.js';
import type { AppConfigs } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';
import type { CookieSecrets } from '../store/cookie-secret.js';

/** Masks secret values in a line of text. */
export type Mask = (text: string) => string;

export interface MasksOptions {
  store: Pick<AppStore, 'find'>;
  configs: Pick<AppConfigs, 'mask'>;
  cookies: Pick<CookieSecrets, 'of'>;
  logger: { error(facts: object, text: string): void };
}

/** Masks the values of apps in text for people. */
export class Masks {
  readonly #options: MasksOptions;

  constructor(options: MasksOptions) {
    this.#options = options;
  }

  /**
   * Returns the mask of an app's config vars and secrets, including later ones.
   * @throws Refusal where they cannot be read, and so cannot be hidden
   */
  async of(id: string): Promise<Mask> {
    const { configs, cookies, store } = this.#options;
    const hide = await configs.mask(id);
    if (store.find(id) === undefined) return hide;
    // An app whose cookie secret cannot be read runs with one of the moment.
    const secret = await cookies.of(id).catch((error: unknown) => {
      if (error instanceof Refusal) return undefined;
      throw error;
    });
    const hideSecret = createMask(secret === undefined ? [] : [secret]);
    // A preview knows what its app knows.
    const { preview } = store.find(id) ?? {};
    const hideBelow = preview === undefined ? asItIs : await this.of(preview.of);
    return (text) => hideBelow(hideSecret(hide(text)));
  }

  /**
   * Returns the mask for a deploy log, which also hides URLs with credentials. If an app's values cannot be read, its
   * process cannot print them either.
   */
  async forDeploy(id: string): Promise<Mask> {
    const hide = await this.of(id).catch((error: unknown) => {
      this.#options.logger.error({ app: id, err: error }, "an app's config cannot be read");
      return asItIs;
    });
    return (text) => maskUrls(hide(text));
  }
}

function asItIs(text: string): string {
  return text;
}
