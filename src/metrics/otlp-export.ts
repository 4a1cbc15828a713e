import { messageOf } from '../errors.js';
import { atMost } from '../lib/at-most.js';
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
  #closed = false;

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

  /** Ends. What is being posted may take so long (ms), since visitors wait while a server hands over. */
  async close(limitMs = 1_000): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await atMost(limitMs, this.#posting);
    this.#closed = true;
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
    if (this.#closed) return; // Another server says it, if it lasts.
    // Said once, not with every try.
    if (problem !== '' && problem !== this.#problem) logger.warn({ problem }, 'Metrics cannot be exported by OTLP.');
    if (problem === '' && this.#problem !== '') logger.info('Metrics are exported by OTLP again.');
    this.#problem = problem;
  }
}
