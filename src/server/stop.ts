/** A request to stop the server, and how: made by a signal or through the API. */
export class Stop {
  readonly #asked = new AbortController();
  #keepApps = true;

  /** Aborted once the server is to stop. */
  get asked(): AbortSignal {
    return this.#asked.signal;
  }

  ask(options: { keepApps: boolean }): void {
    if (this.asked.aborted) return;
    this.#keepApps = options.keepApps;
    this.#asked.abort();
  }

  /**
   * Takes SIGTERM and SIGINT for the wish that the server ends; one that is still starting ends once it has started. A
   * second signal ends it at once: the apps and the records survive that too.
   */
  hearSignals(): void {
    const onSignal = (): void => {
      if (this.asked.aborted) process.exit(1);
      this.ask({ keepApps: true });
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  }

  /** Resolves when the server is to stop. */
  async wanted(): Promise<{ keepApps: boolean }> {
    if (!this.asked.aborted)
      await new Promise((resolve) => this.asked.addEventListener('abort', resolve, { once: true }));
    return { keepApps: this.#keepApps };
  }
}
