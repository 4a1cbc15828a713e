import type { App } from '../domain/app/app.js';
import type { Errors, ErrorKind } from '../metrics/errors.js';
import { app as fields, box, BOX_ID } from '../metrics/fields.js';
import type { Happening, Happenings } from '../metrics/happenings.js';
import type { Recorder } from '../metrics/recorder.js';
import type { AppProcess } from '../runtime/app-process.js';
import type { AppStore } from '../store/apps.js';
import { formatBytes, formatSpan } from '../lib/units.js';
import { asSentence } from '../lib/words.js';
import type { Change } from './lane.js';
import { MACHINE, type Problems } from './problems.js';
import { LIMITS, type Rule } from './rules.js';

/** What is read of a process. */
export type Watched = Pick<AppProcess, 'state' | 'lastExit'> & { spec: Pick<AppProcess['spec'], 'memoryLimit'> };

export interface WatchOptions {
  apps: Pick<AppStore, 'list' | 'find'>;
  serving: { process(app: string): Watched | undefined };
  problems: Problems;
  /** Called with what happens and has no end. */
  happened: (change: Change) => void;
  /** The room (bytes) that the disk must have left for a deploy. */
  diskFloor: number;
  /** ms since 1970 */
  now?: () => number;
}

/** How far the limits of a disk are apart, as a share of it. */
const APART = LIMITS.disk.from - LIMITS.disk.below;

/** A share with the limits between which it counts as nearly full. */
interface Fill {
  from: number;
  below: number;
  spans: number;
}

/**
 * Finds out what is wrong from what is measured. It never asks an app for anything, and previews are left out: who pushes a branch
 * sees what becomes of it.
 */
export class Watch {
  readonly #options: WatchOptions;
  readonly #now: () => number;
  /** When this server began to watch. */
  readonly #begunAt: number;
  /** Since when apps that should serve do not. */
  readonly #down = new Map<string, number>();
  /** When apps were restarted after a crash. */
  readonly #crashes = new Map<string, number[]>();
  /** In how many spans in a row something was nearly full. */
  readonly #full = new Map<string, number>();
  #ends: (() => void)[] = [];

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#begunAt = this.#now();
  }

  begin(from: {
    happenings: Pick<Happenings, 'subscribe'>;
    errors: Pick<Errors, 'subscribe'>;
    recorder: Pick<Recorder, 'subscribe'>;
  }): void {
    this.#ends = [
      from.happenings.subscribe((happening) => this.happened(happening)),
      from.errors.subscribe((app, kind, isNew) => this.excepted(app, kind, isNew)),
      from.recorder.subscribe((figures) => this.span(figures)),
    ];
  }

  close(): void {
    for (const end of this.#ends) end();
    this.#ends = [];
  }

  /** Looks at everything once in a span of 10 s. */
  span(figures: ReadonlyMap<string, readonly number[]>): void {
    const { apps, problems } = this.#options;
    const known = new Set([MACHINE]);
    for (const app of apps.list()) {
      if (app.preview !== undefined) continue;
      known.add(app.id);
      this.#lookAtServing(app);
      this.#lookAtCrashes(app.id);
      this.#lookAtMemory(app, figures.get(app.id));
    }
    for (const { of } of problems.open.values()) if (!known.has(of)) problems.forget(of);
    for (const all of [this.#down, this.#crashes]) for (const id of all.keys()) if (!known.has(id)) all.delete(id);
    this.#lookAtMachine(figures.get(BOX_ID));
  }

  happened(happening: Happening): void {
    const { problems } = this.#options;
    const { app, kind } = happening;
    if (!this.#watches(app)) return;
    switch (kind) {
      case 'deploy-failed': {
        const { number, reason } = happening.release;
        const why = reason === undefined ? '' : ` ${asSentence(reason.split('\n', 1)[0] ?? '')}`;
        return problems.begin('deploy-failed', app, `Release ${number} could not be deployed.${why}`, this.#now());
      }
      case 'deployed':
        return problems.end('deploy-failed', app, `Release ${happening.release.number} is live.`);
      case 'restarted':
        this.#crashes.set(app, [...(this.#crashes.get(app) ?? []), this.#now()]);
        return this.#lookAtCrashes(app);
      case 'woken':
        if (happening.ms <= LIMITS.wakeMs) return problems.end('wake', app);
        return problems.begin('wake', app, `A visitor waited ${formatSpan(happening.ms)} for the app.`, this.#now());
      default:
        return;
    }
  }

  excepted(app: string, kind: ErrorKind, isNew: boolean): void {
    if (!isNew || !this.#watches(app)) return;
    const what = kind.message === '' ? kind.type : `${kind.type}: ${kind.message}`;
    const place = kind.file === '' ? '' : ` (${kind.file}:${kind.line})`;
    const text = asSentence(`${what.split('\n', 1)[0]}${place} in release ${kind.lastRelease}`);
    this.#options.happened({ kind: 'happened', rule: 'exception', of: app, text, at: this.#now() });
  }

  #watches(app: string): boolean {
    const found = this.#options.apps.find(app);
    return found !== undefined && found.preview === undefined;
  }

  #lookAtServing({ id, wanted, asleep, live }: App): void {
    const { problems, serving } = this.#options;
    const process = serving.process(id);
    if (wanted === 'stopped' || asleep || live === null || process?.state === 'ready') {
      this.#down.delete(id);
      return problems.end('down', id, wanted === 'stopped' ? 'The app was stopped.' : undefined);
    }
    const now = this.#now();
    const since = Math.min(this.#down.get(id) ?? now, now);
    this.#down.set(id, since);
    if (now - since < LIMITS.downMs) return;
    const why = process?.state === 'crashed' && process.lastExit !== '' ? ` ${asSentence(process.lastExit)}` : '';
    problems.begin('down', id, `The app does not serve.${why}`, since);
  }

  #lookAtCrashes(id: string): void {
    const now = this.#now();
    const isRecent = (at: number): boolean => at <= now && now - at < LIMITS.crashesMs;
    const recent = (this.#crashes.get(id) ?? []).filter(isRecent);
    if (recent.length === 0) {
      this.#crashes.delete(id);
      // The restarts that an earlier server saw are not known: the last one may have been just before this one began.
      return isRecent(this.#begunAt) ? undefined : this.#options.problems.end('crash-loop', id);
    }
    this.#crashes.set(id, recent);
    if (recent.length < LIMITS.crashes) return;
    const text = `The app crashed ${recent.length} times within ${formatSpan(LIMITS.crashesMs)}.`;
    this.#options.problems.begin('crash-loop', id, text, now);
  }

  #lookAtMemory({ id, processes, wanted, asleep, live }: App, values: readonly number[] | undefined): void {
    const process = this.#options.serving.process(id);
    // As a server begins, the processes of apps that should serve are not known yet.
    if (process === undefined && wanted === 'running' && !asleep && live !== null) return;
    const limit = process?.spec.memoryLimit;
    if (limit === undefined) return this.#options.problems.end('memory', id);
    // The figures are of all processes together: while an older release drains, they tell nothing about one.
    if (processes.length > 1) return;
    const used = (values?.[fields.memoryKb] ?? 0) * 1_024;
    this.#fill('memory', id, used, limit, LIMITS.memory, 'The app uses');
  }

  #lookAtMachine(values: readonly number[] | undefined): void {
    if (values === undefined) return;
    const of = (place: number): number => (values[place] ?? 0) * 1_024;
    const total = of(box.memoryTotalKb);
    if (total > 0)
      this.#fill('memory', MACHINE, of(box.memoryKb), total, LIMITS.machineMemory, 'The machine uses', 'memory');
    const disk = of(box.diskTotalKb);
    // Deploys are refused below the floor, which is told before it is reached.
    const most = disk - 2 * this.#options.diskFloor;
    const from = Math.min(LIMITS.disk.from, Math.max(0.5, most / disk));
    const limits = { ...LIMITS.disk, from, below: Math.min(LIMITS.disk.below, from - APART) };
    if (disk > 0) this.#fill('disk', MACHINE, of(box.diskKb), disk, limits, 'The data folder’s disk holds');
  }

  #fill(
    rule: Rule,
    id: string,
    used: number,
    total: number,
    { from, below, spans }: Fill,
    what: string,
    noun = '',
  ): void {
    const { problems } = this.#options;
    const key = `${id}/${rule}`;
    const share = used / total;
    if (share < below) {
      this.#full.delete(key);
      return problems.end(rule, id);
    }
    if (share < from) return;
    const times = (this.#full.get(key) ?? 0) + 1;
    this.#full.set(key, times);
    if (times < spans) return;
    const text = `${what} ${formatBytes(used)} of ${formatBytes(total)}${noun === '' ? '' : ` of ${noun}`} (${Math.round(share * 100)} %).`;
    problems.begin(rule, id, text, this.#now());
  }
}
