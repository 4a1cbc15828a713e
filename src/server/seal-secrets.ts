import { processKey } from '../domain/app/process.js';
import type { AppStore } from '../store/apps.js';
import type { CookieSecrets } from '../store/cookie-secret.js';
import type { SecretFiles } from '../store/secret-files.js';

export interface SealOptions {
  store: Pick<AppStore, 'list'>;
  cookies: Pick<CookieSecrets, 'seal'>;
  files: Pick<SecretFiles, 'sweep'>;
  logger: { error(facts: object, text: string): void };
}

/** Encrypts what an earlier server left in plain text, and deletes the secrets of processes that no longer run. */
export async function sealSecrets({ store, cookies, files, logger }: SealOptions): Promise<void> {
  await files.sweep(
    store
      .list()
      .flatMap((app) => app.processes.map((one) => ({ app: app.id, release: one.release, key: processKey(one) }))),
  );
  for (const { id } of store.list()) {
    await cookies
      .seal(id)
      .catch((error: unknown) =>
        logger.error({ app: id, err: error }, "an app's cookie secret could not be encrypted"),
      );
  }
}
