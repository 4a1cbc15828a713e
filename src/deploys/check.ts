import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../lib/ask.js';
import { Deadline } from '../lib/deadline.js';
import { asSentence } from '../lib/words.js';
import type { AppFile } from '../domain/project/app-file.js';
import { below, DEPENDENCY_FILES, folderOf } from '../domain/project/layout.js';
import type { Release } from '../domain/app/release.js';
import { missingModule, namesPackage, packageOf } from '../domain/streamlit/missing-module.js';
import { mayExit } from '../domain/streamlit/script-exit.js';
import { readOnlyWrite } from '../domain/streamlit/read-only.js';
import { syntaxError } from '../domain/streamlit/syntax-error.js';
import { shortenTracebacks } from '../domain/streamlit/traceback.js';
import { messageOf, Refusal } from '../errors.js';
import { tail } from '../logs/tail.js';
import type { AppProcess } from '../runtime/app-process.js';
import { readTopFile } from '../store/folder.js';
import type { Paths } from '../store/paths.js';
import type { DeployLog } from './log.js';
import { formatSeconds } from '../lib/units.js';

/** How long the main script may take when it is run as a check, in ms; Streamlit's own limit is 60 s. */
const CHECK_LIMIT_MS = 75_000;
/** The limit that is shown, and the limit for each page, in s. */
const LIMIT_S = 60;
/** How many of an app's last lines are shown when it does not start, and how many are read for that. */
const LAST_LINES = 40;
const LAST_LINES_READ = 400;
/** How long to wait for the end of a process that no longer answers, in ms. */
const END_SEEN_MS = 1_000;

/**
 * Runs the main script once, as a visitor's page would, before any visitor does; or all pages, if the app asks for it.
 * @throws Refusal `script-failed` or `app-exited`, in a few words for the pusher's terminal
 */
export async function checkScript(
  paths: Paths,
  release: Release,
  process: AppProcess,
  settings: NonNullable<AppFile['check']>,
  log: DeployLog,
  signal: AbortSignal,
): Promise<void> {
  if (settings.script === 'off') return log.step('Script check skipped, as set in streamlit-host.toml');
  const begun = performance.now();
  const limitMs = settings.timeout_s === undefined ? CHECK_LIMIT_MS : settings.timeout_s * 1_000;
  const path = process.spec.healthPath.replace(/health$/, 'script-health-check');
  const answer = await ask(process.address, path, limitMs, signal).catch((error: unknown) => ({
    status: 0,
    body: messageOf(error),
  }));
  const limit = settings.timeout_s ?? LIMIT_S;
  if (answer.status === 200 && answer.body.trim() === 'ok') {
    log.step(`The script ran without an exception (${formatSeconds(performance.now() - begun)})`);
  } else {
    signal.throwIfAborted();
    // An older Streamlit has no such check and answers 404.
    if (answer.status !== 404 && answer.status !== 405) {
      // The end of a process is noticed a little later than its broken connection.
      if (answer.status === 0) await ended(process);
      const shown = await lastLines(paths, release, process, log);
      const late = answer.body.includes('timeout') || (answer.status === 0 && performance.now() - begun >= limitMs);
      if (late) await tellExit(release, process, log);
      if (late) throw failure(process, `The script did not finish within ${limit} s.`);
      throw failure(process, (await reasonOf(process, release, shown)) ?? 'The script raised an exception.');
    }
    if (settings.script !== 'all-pages')
      log.step('Script check skipped: this version of Streamlit does not support it');
  }
  if (settings.script === 'all-pages') await checkPages(paths, release, process, limit, log, signal);
}

/** Runs every page, each once. */
async function checkPages(
  paths: Paths,
  release: Release,
  process: AppProcess,
  limitS: number,
  log: DeployLog,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now();
  const path = process.spec.healthPath.replace(/\/_stcore\/health$/, '');
  const { runPages } = await import('./run-pages.js');
  const runs = await runPages({ address: process.address, path, limitMs: limitS * 1_000, signal }).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      throw new Refusal('invalid', 'script-failed', `Could not check the pages: ${messageOf(error)}.`);
    },
  );
  signal.throwIfAborted();
  const bad = runs.find((run) => run.late || run.exception !== undefined);
  if (bad === undefined) {
    const count = runs.length === 1 ? 'The only page' : `All ${runs.length} pages`;
    return log.step(`${count} ran without an exception (${formatSeconds(performance.now() - begun)})`);
  }
  const page = bad.page === '' ? 'The first page' : `Page "${bad.page}"`;
  if (bad.exception === undefined) {
    await ended(process);
    await lastLines(paths, release, process, log);
    throw failure(process, `${page} did not finish within ${limitS} s.`);
  }
  log.step(`${page}:`);
  const shown = await shorten(paths, release, process, bad.exception);
  for (const line of shown) log.output(line);
  hintAtStorage(shown, log);
  throw failure(process, (await reasonOf(process, release, shown)) ?? `${page} raised an exception.`);
}

/** The mistake that a script's last lines tell of, in a sentence; undefined for an exception of its own. */
async function reasonOf(process: AppProcess, release: Release, lines: readonly string[]): Promise<string | undefined> {
  return syntaxError(lines) ?? (await lackOf(process, release, lines));
}

/** The package that a script imports and its project does not list, in a sentence; undefined where it failed for another reason. */
async function lackOf(
  { spec: { cwd } }: AppProcess,
  { entrypoint = '' }: Release,
  lines: readonly string[],
): Promise<string | undefined> {
  const module = missingModule(lines);
  if (module === undefined) return undefined;
  const names = new Set<string>();
  for (const folder of new Set([folderOf(entrypoint), '']))
    for (const name of await readdir(join(cwd, folder))) names.add(below(folder, name));
  const beside = folderOf(entrypoint);
  const lists = [beside, ''].map((folder) =>
    DEPENDENCY_FILES.map((file) => below(folder, file)).filter((file) => names.has(file)),
  );
  const [list, another] = lists.find((there) => there.length > 0) ?? [];
  const own = [module, `${module}.py`].flatMap((name) => [name, below(beside, name)]);
  // A module of the project itself, or an environment that was not made from a list.
  if (list === undefined || own.some((name) => names.has(name))) return undefined;
  const missing = packageOf(module);
  const text = another === undefined ? await readTopFile(cwd, list, MAX_LOOKED_AT) : undefined;
  if (text !== undefined && namesPackage(text.toString(), missing)) return undefined;
  const where = another === undefined ? `in ${list}` : "among the project's dependencies";
  const imported = missing === module ? '' : ` (imported as ${module})`;
  return `The package ${missing}${imported} is not ${where}. Add it and push again.`;
}

/** Lines that are not the app's: ours, and those with which Streamlit names the address at which it listens. */
const INTERNAL =
  /^\[\d{4}-\d\d-\d\dT[^\]]+\] |Uvicorn server started on|^\s*You can now view your Streamlit app in your browser|^\s*(Local |Network |External )?URL: https?:\/\//;

/** The largest file that is read for a hint, in bytes. */
const MAX_LOOKED_AT = 1024 * 1024;

/** Explains a script that exits by itself: it prints nothing, and ends normally outside of Streamlit. */
async function tellExit({ entrypoint }: Release, process: AppProcess, log: DeployLog): Promise<void> {
  if (entrypoint === undefined) return;
  const file = join(process.spec.cwd, entrypoint);
  if ((await stat(file)).size > MAX_LOOKED_AT) return;
  const code = await readFile(file, 'utf8');
  if (mayExit(code)) log.step(`hint: ${entrypoint} calls sys.exit(), which Streamlit does not notice. Use st.stop().`);
}

/** Returns the reason why a release cannot go live. */
function failure(process: AppProcess, reason: string): Refusal {
  if (process.state !== 'ready') return new Refusal('invalid', 'app-exited', asSentence(process.lastExit));
  return new Refusal('invalid', 'script-failed', reason);
}

/** Shows what the app printed last, as its author wants to read it. @returns the lines */
export async function lastLines(
  paths: Paths,
  release: Release,
  process: AppProcess,
  log: DeployLog,
): Promise<readonly string[]> {
  const file = paths.runLog(process.spec.app, process.release);
  const { lines } = await tail(file, LAST_LINES_READ);
  // The log may just have been rotated.
  if (lines.length < LAST_LINES) lines.unshift(...(await tail(`${file}.1`, LAST_LINES_READ)).lines);
  // Leaves out our own lines, which carry a time, and Streamlit's first ones, which name an internal address.
  const said = lines.filter((line) => !INTERNAL.test(line));
  const shown = (await shorten(paths, release, process, said)).slice(-LAST_LINES);
  if (shown.length > 0) log.step('App output:');
  for (const line of shown) log.output(line);
  hintAtStorage(shown, log);
  return shown;
}

/** Says where an app can write, if it failed to write elsewhere. */
function hintAtStorage(shown: readonly string[], log: DeployLog): void {
  const path = readOnlyWrite(shown);
  if (path !== undefined)
    log.step(
      `hint: the app cannot write to ${path}. Write to the folder in the variable STREAMLIT_HOST_STORAGE instead.`,
    );
}

async function shorten(paths: Paths, release: Release, process: AppProcess, lines: string[]): Promise<string[]> {
  return shortenTracebacks(lines, {
    source: await namesOf(process.spec.cwd),
    environment: await namesOf(paths.environmentOf(release) ?? paths.environments),
    home: await namesOf(paths.storage(process.spec.app)),
  });
}

/** Returns a folder's path as we write it, and as Python resolves it if a part of it is a link. */
async function namesOf(folder: string): Promise<string[]> {
  return [...new Set([folder, await realpath(folder).catch(() => folder)])];
}

/** Waits a moment for the end of a process to be noticed. */
async function ended(process: AppProcess): Promise<void> {
  for (const deadline = new Deadline(END_SEEN_MS); process.state === 'ready' && !deadline.isOver;) {
    await sleep(20);
  }
}
