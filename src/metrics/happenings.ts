import type { App } from '../domain/app/app.js';
import type { ProcessState } from '../domain/app/process.js';
import { isPending, type Release } from '../domain/app/release.js';
import type { AppProcess } from '../runtime/app-process.js';
import type { Serving } from '../serving/serving.js';
import type { AppStore } from '../store/apps.js';

/** Something that happened to an app. Spans are in ms. */
export type Happening =
  | { kind: 'deployed'; app: string; release: Release; ms: number }
  | { kind: 'deploy-failed'; app: string; release: Release }
  | { kind: 'woken'; app: string; ms: number }
  | { kind: 'restarted'; app: string; release: number }
  | { kind: 'crashed'; app: string; release: number; why: string }
  /** Its process serves. */
  | { kind: 'up'; app: string }
  /** It is not wanted any more, or asleep. */
  | { kind: 'rested'; app: string }
  | { kind: 'removed'; app: string };

export type HappeningListener = (happening: Happening) => void;

/** What `Happenings` reads of a process. */
export type Seen = Pick<AppProcess, 'state' | 'restarts' | 'release' | 'lastExit'>;

export interface HappeningsOptions {
  store: Pick<AppStore, 'list' | 'find' | 'subscribe'>;
  serving: { subscribe: Serving['subscribe']; processes(app: string): readonly Seen[] };
  /** A clock that is never put back, in ms. */
  clock?: () => number;
}

/** Finds out from the records and processes of apps what happens to them, and tells it. */
export class Happenings {
  readonly #options: HappeningsOptions;
  readonly #clock: () => number;
  readonly #listeners = new Set<HappeningListener>();
  /** The deploys that have not ended. */
  readonly #pending = new Map<string, Set<number>>();
  readonly #asleep = new Set<string>();
  readonly #wanted = new Map<string, App['wanted']>();
  /** When the apps that are being woken began to wake. */
  readonly #waking = new Map<string, number>();
  readonly #processes = new WeakMap<Seen, { state: ProcessState; restarts: number }>();
  #ends: (() => void)[] = [];

  constructor(options: HappeningsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  /** @returns a function that unsubscribes */
  subscribe(listener: HappeningListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Begins to watch; what happened before is not told. */
  begin(): void {
    const { store, serving } = this.#options;
    for (const app of store.list()) {
      this.#note(app);
      this.#look(app.id, true);
    }
    this.#ends = [
      store.subscribe((id, app) => this.#changed(id, app)),
      serving.subscribe((id) => this.#look(id, false)),
    ];
  }

  close(): void {
    for (const end of this.#ends) end();
    this.#ends = [];
  }

  #changed(id: string, app: App | undefined): void {
    if (app === undefined) {
      this.#pending.delete(id);
      this.#asleep.delete(id);
      this.#wanted.delete(id);
      this.#waking.delete(id);
      return this.#tell({ kind: 'removed', app: id });
    }
    for (const number of this.#pending.get(id) ?? []) {
      const release = app.releases.find((one) => one.number === number);
      if (release !== undefined && !isPending(release.state)) this.#ended(id, release);
    }
    if (this.#asleep.has(id) && !app.asleep && app.wanted === 'running') this.#waking.set(id, this.#clock());
    const rests = app.asleep || app.wanted === 'stopped';
    const did = !this.#asleep.has(id) && this.#wanted.get(id) !== 'stopped';
    this.#note(app);
    if (rests && did) this.#tell({ kind: 'rested', app: id });
  }

  /** Remembers how an app is. */
  #note(app: App): void {
    const pending = app.releases.filter(({ state }) => isPending(state)).map(({ number }) => number);
    if (pending.length > 0) this.#pending.set(app.id, new Set(pending));
    else this.#pending.delete(app.id);
    if (app.asleep) this.#asleep.add(app.id);
    else this.#asleep.delete(app.id);
    this.#wanted.set(app.id, app.wanted);
    if (app.asleep || app.wanted === 'stopped') this.#waking.delete(app.id);
  }

  #ended(app: string, release: Release): void {
    if (release.state === 'failed') return this.#tell({ kind: 'deploy-failed', app, release });
    if (release.state === 'cancelled' || release.state === 'superseded') return;
    // The clock may have been put back meanwhile.
    const ms = Math.max(0, Date.parse(release.finishedAt ?? release.createdAt) - Date.parse(release.createdAt));
    this.#tell({ kind: 'deployed', app, release, ms });
  }

  /** @param quiet true for what was there before */
  #look(app: string, quiet: boolean): void {
    for (const process of this.#options.serving.processes(app)) this.#lookAt(app, process, quiet);
  }

  #lookAt(app: string, process: Seen, quiet: boolean): void {
    const { state, restarts, release } = process;
    const before = this.#processes.get(process) ?? { state: 'starting', restarts: 0 };
    this.#processes.set(process, { state, restarts });
    if (quiet) return;
    for (let more = restarts - before.restarts; more > 0; more -= 1) this.#tell({ kind: 'restarted', app, release });
    if (state === before.state) return;
    if (state === 'crashed') this.#tell({ kind: 'crashed', app, release, why: process.lastExit });
    if (state !== 'ready') return;
    this.#tell({ kind: 'up', app });
    const since = this.#waking.get(app);
    if (since === undefined) return;
    this.#waking.delete(app);
    this.#tell({ kind: 'woken', app, ms: Math.max(0, this.#clock() - since) });
  }

  #tell(happening: Happening): void {
    for (const listener of this.#listeners) listener(happening);
  }
}
