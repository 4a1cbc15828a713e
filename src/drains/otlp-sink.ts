import { hostname } from 'node:os';
import { post, Unreached } from '../lib/reach.js';
import type { Batch, LogLine } from './buffer.js';
import { withNotice, type Sink } from './sinks.js';

/** INFO (https://opentelemetry.io/docs/specs/otel/logs/data-model/#severity-fields). */
const SEVERITY = { severityNumber: 9, severityText: 'INFO' };

/** Posts lines to OpenTelemetry, as JSON. Each app is a service, whose version is the release. */
export class OtlpSink implements Sink {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param url where logs are posted to */
  constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.#url = url;
    this.#headers = headers;
  }

  async send(batch: Batch): Promise<void> {
    const headers = { ...this.#headers, 'content-type': 'application/json' };
    const body = JSON.stringify(otlpLogs(withNotice(batch), hostname()));
    const { status } = await post({ url: this.#url, headers, body }, { anywhere: true });
    if (status < 200 || status > 299) throw new Unreached(`It answered with status ${status}.`);
  }

  close(): void {
    // Each request has its own connection.
  }
}

/** Lines as OTLP has them in JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). */
export function otlpLogs(lines: readonly LogLine[], host: string): object {
  const services = new Map<string, LogLine[]>();
  for (const line of lines) {
    const key = `${line.app}/${line.release}`;
    const own = services.get(key);
    if (own === undefined) services.set(key, [line]);
    else own.push(line);
  }
  return {
    resourceLogs: [...services.values()].map((own) => {
      const { app = '', release = 0 } = own[0] ?? {};
      const attributes = {
        'service.name': app,
        'service.namespace': 'streamlit-host',
        ...(release === 0 ? {} : { 'service.version': String(release) }),
        'host.name': host,
      };
      return {
        resource: {
          attributes: Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } })),
        },
        scopeLogs: [
          {
            scope: { name: 'streamlit-host' },
            logRecords: own.map(({ at, text }) => ({
              ...{ timeUnixNano: `${at}000000`, observedTimeUnixNano: `${at}000000`, ...SEVERITY },
              body: { stringValue: text },
            })),
          },
        ],
      };
    }),
  };
}
