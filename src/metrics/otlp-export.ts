import { messageOf } from '../errors.js';
import { post } from '../lib/reach.js';

export interface OtlpExportOptions {
  /** Where metrics are posted to. */
  url: string;
  headers: Readonly<Record<string, string>>;
  everyMs: number;
  /** The metrics now, as OTLP has them. */
  metrics: () => object;
  logger: { warn(facts: object, text: string): void; info(text: string): void };
}

/** Posts metrics from time to time. What could not be posted is in the next ones, since counters only grow. */
export class OtlpExport {
  readonly #options: OtlpExportOptions;
  #timer: NodeJS.Timeout | undefined;
  #posting: Promise<void> = Promise.resolve();
  #problem = '';

  constructor(options: OtlpExportOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#timer = setTimeout(() => {
      this.#posting = this.#post().finally(() => {
        if (this.#timer !== undefined) this.begin();
      });
    }, this.#options.everyMs).unref();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#posting;
  }

  async #post(): Promise<void> {
    const { url, headers, metrics, logger } = this.#options;
    let problem = '';
    try {
      const body = JSON.stringify(metrics());
      const sent = { url, headers: { ...headers, 'content-type': 'application/json' }, body };
      const { status } = await post(sent, { anywhere: true });
      if (status < 200 || status > 299) problem = `It answered with status ${status}.`;
    } catch (error) {
      problem = messageOf(error);
    }
    // Said once, not with every try.
    if (problem !== '' && problem !== this.#problem) logger.warn({ problem }, 'Metrics cannot be exported by OTLP.');
    if (problem === '' && this.#problem !== '') logger.info('Metrics are exported by OTLP again.');
    this.#problem = problem;
  }
}
