import { maskUrls } from '../logs/mask.js';

/** Hides in a deploy's log what must not be read. Where an app's values cannot be read, its process cannot say them either. */
export async function deployMask(
  configs: { mask(app: string): Promise<(text: string) => string> },
  app: string,
  logger: { error(facts: object, text: string): void },
): Promise<(text: string) => string> {
  const hide = await configs.mask(app).catch((error: unknown) => {
    logger.error({ app, err: error }, "an app's config cannot be read");
    return (text: string): string => text;
  });
  return (text) => maskUrls(hide(text));
}
