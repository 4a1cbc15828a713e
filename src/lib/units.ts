const BYTES = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A number of bytes, with three digits at most: "512 B", "1.4 kB", "182 MB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < BYTES.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value >= 9.95 ? Math.round(value) : oneDecimal(value)} ${BYTES[unit] ?? ''}`;
}

/**
 * A size beside a limit that is a power of 1024, which people call megabytes too: "1.5 MB", "101 MB". Rounded up from
 * 10 on, so that what is just over its limit does not read as if it were the limit.
 */
export function formatMebibytes(bytes: number): string {
  const value = bytes / 1024 / 1024;
  return `${value < 10 ? oneDecimal(value) : Math.ceil(value)} MB`;
}

/** Memory in one word, for the column of a table: "58MB", "1.5GB". */
export function compactBytes(bytes: number): string {
  const mb = bytes / 1024 / 1024;
  return mb < 1_000 ? `${Math.round(mb)}MB` : `${(mb / 1024).toFixed(1)}GB`;
}

/** How a language writes a number of milliseconds, seconds, minutes and hours. */
export interface SpanUnits {
  span: (unit: 'ms' | 's' | 'min' | 'h', value: number) => string;
}

const SYMBOLS: SpanUnits = { span: (unit, value) => `${value} ${unit}` };

/** A span of time (ms): "850 ms", "4.2 s", "3 min 5 s", "2 h 10 min". */
export function formatSpan(ms: number, { span }: SpanUnits = SYMBOLS): string {
  if (ms < 999.5) return span('ms', Math.max(0, Math.round(ms)));
  const seconds = ms / 1_000;
  if (seconds < 59.5) return span('s', seconds < 9.95 ? oneDecimal(seconds) : Math.round(seconds));
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return both(span('min', minutes), span('s', whole % 60), whole % 60);
  return both(span('h', Math.floor(minutes / 60)), span('min', minutes % 60), minutes % 60);
}

/** A span of time (ms) in seconds alone, so that the lines of a log can be compared: "0.4 s", "75.3 s". */
export function formatSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** A span of time (seconds) in one word, for the column of a table: "45s", "5m12s", "3h4m", "2d5h". */
export function compactSpan(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3_600) return `${Math.floor(s / 60)}m${s % 60}s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)}h${Math.floor((s % 3_600) / 60)}m`;
  return `${Math.floor(s / 86_400)}d${Math.floor((s % 86_400) / 3_600)}h`;
}

/** "1.5", but "2" rather than "2.0". */
function oneDecimal(value: number): number {
  return Number(value.toFixed(1));
}

function both(first: string, second: string, rest: number): string {
  return rest === 0 ? first : `${first} ${second}`;
}
