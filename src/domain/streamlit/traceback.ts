/** Folders whose paths mean nothing to the reader; each in every way that it may be written (through links or not). */
export interface PlatformPlaces {
  /** The release's own source. */
  source: readonly string[];
  /** Its Python environment. */
  environment: readonly string[];
  /** Its home. */
  home: readonly string[];
}

/** One step of a traceback: the file and the lines of code below it. */
interface Frame {
  lines: string[];
  path: string;
}

/** A frame's first line; within an exception group "|" stands before it. */
const FRAME = /^([\s|]*)File "(.+)", line \d+/;
/** The place of a syntax error: a frame without a function. */
const PLACE = /^[\s|]*File ".+", line \d+$/;
const HEADER = /^[\s|]*Traceback \(most recent call last\):$/;
const PACKAGES = /^lib(?:64)?\/python[\d.]+t?\/site-packages\//;

/**
 * What a Python app printed, as its author wants to read it: paths begin at the project or its home, and the steps of a traceback
 * that lie in installed packages, or lead to the project's first one, are left out; the last one stays where there would be no
 * other. A syntax error in the project is shown as Python shows that of a script, with nothing but its place.
 * @see https://docs.python.org/3/library/traceback.html
 */
export function shortenTracebacks(lines: readonly string[], places: PlatformPlaces): string[] {
  const shown: string[] = [];
  for (let at = 0; at < lines.length;) {
    const frames = framesFrom(lines, at);
    const kept = keep(frames, places);
    if (kept.length === 1 && PLACE.test(kept[0]?.lines[0] ?? '') && HEADER.test(shown.at(-1) ?? '')) shown.pop();
    shown.push(...(frames.length > 0 ? kept.flatMap((frame) => frame.lines) : lines.slice(at, at + 1)));
    at += frames.reduce((sum, frame) => sum + frame.lines.length, 0) || 1;
  }
  return shown.map((line) => withoutPlaces(line, places));
}

/** The frames that tell something about the project. */
function keep(frames: readonly Frame[], { source, environment }: PlatformPlaces): readonly Frame[] {
  const within = (folders: readonly string[], { path }: Frame): boolean =>
    folders.some((folder) => path.startsWith(`${folder}/`));
  const last = frames.at(-1);
  // What read a file with a syntax error says nothing.
  if (last !== undefined && within(source, last) && PLACE.test(last.lines[0] ?? ''))
    return frames.filter((frame) => within(source, frame));
  const first = frames.findIndex((frame) => within(source, frame));
  const own = frames.slice(Math.max(0, first)).filter((frame) => !within(environment, frame));
  return own.length > 0 ? own : frames.slice(-1);
}

/** The frames that stand one after the other from a line on. */
function framesFrom(lines: readonly string[], start: number): Frame[] {
  const frames: Frame[] = [];
  for (let at = start; ;) {
    const [first, indent = '', path = ''] = FRAME.exec(lines[at] ?? '') ?? [];
    if (first === undefined) return frames;
    let end = at + 1;
    for (let line = lines[end]; line !== undefined && belongs(line, indent); line = lines[end]) end += 1;
    frames.push({ lines: lines.slice(at, end), path });
    at = end;
  }
}

/** True for code, for the marks below it, and for "[Previous line repeated 995 more times]". */
function belongs(line: string, indent: string): boolean {
  if (!line.startsWith(indent) || FRAME.test(line)) return false;
  return /^(\s+\S|\[Previous line repeated)/.test(line.slice(indent.length));
}

function withoutPlaces(line: string, { source, environment, home }: PlatformPlaces): string {
  let text = line;
  for (const folder of home) text = text.replaceAll(`${folder}/`, '~/');
  for (const folder of source) text = text.replaceAll(`${folder}/`, '');
  for (const folder of environment) {
    const [first = '', ...rest] = text.split(`${folder}/`);
    text = first + rest.map((part) => part.replace(PACKAGES, '')).join('');
  }
  return text;
}
