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
   * Stops the server on SIGTERM or SIGINT; a server that is still starting stops once it has started. A second signal exits
   * at once, which apps and records survive too.
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
