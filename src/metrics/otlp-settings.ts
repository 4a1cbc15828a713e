import { parseUrl } from '../lib/parse-url.js';

/** How OpenTelemetry is reached, by its own variables. */
export interface OtlpSettings {
  /** Where each is posted to; undefined where it is not exported. */
  metrics: string | undefined;
  logs: string | undefined;
  headers: Record<string, string>;
  /** The name of the server as a service. */
  service: string;
  /** How often metrics are exported, in ms. */
  everyMs: number;
}

/**
 * Reads the variables of OpenTelemetry; undefined where they name no endpoint.
 * @param mistakes gets a sentence for each one that is wrong
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function otlpSettings(
  env: Readonly<Record<string, string | undefined>>,
  mistakes: string[],
): OtlpSettings | undefined {
  const read = (name: string): string | undefined => env[`OTEL_${name}`]?.trim() || undefined;
  const endpoint = read('EXPORTER_OTLP_ENDPOINT')?.replace(/\/+$/, '');
  if (endpoint === undefined) return undefined;
  if (!/^https?:$/.test(parseUrl(endpoint)?.protocol ?? ''))
    mistakes.push('OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as https://otel.example.com:4318.');
  const protocol = read('EXPORTER_OTLP_PROTOCOL') ?? 'http/json';
  if (protocol !== 'http/json')
    mistakes.push(`OTEL_EXPORTER_OTLP_PROTOCOL must be http/json, the only one that is supported (found ${protocol}).`);
  const headers: Record<string, string> = {};
  for (const pair of (read('EXPORTER_OTLP_HEADERS') ?? '').split(',').filter((text) => text.trim() !== '')) {
    const [, name, value] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*([\x20-\x7e]*?)\s*$/.exec(pair) ?? [];
    // It may hold a key, so it is not quoted.
    if (name === undefined || value === undefined)
      mistakes.push('OTEL_EXPORTER_OTLP_HEADERS must be name=value pairs, separated by commas.');
    else headers[name.toLowerCase()] = decoded(value);
  }
  const everyMs = Number(read('METRIC_EXPORT_INTERVAL') ?? 60_000);
  if (!Number.isInteger(everyMs) || everyMs < 1_000 || everyMs > 3_600_000)
    mistakes.push('OTEL_METRIC_EXPORT_INTERVAL must be a whole number of milliseconds from 1000 to 3600000.');
  return {
    metrics: read('METRICS_EXPORTER') === 'none' ? undefined : `${endpoint}/v1/metrics`,
    logs: read('LOGS_EXPORTER') === 'none' ? undefined : `${endpoint}/v1/logs`,
    ...{ headers, everyMs, service: read('SERVICE_NAME') ?? 'streamlit-host' },
  };
}

/** A value in which some characters may be percent-encoded, as in W3C Baggage. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // A percent sign that encodes nothing.
  }
}
