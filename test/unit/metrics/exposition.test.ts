import { describe, expect, it } from 'vitest';
import { expose, type Exposed } from '../../../src/metrics/exposition.js';
import { app, blank, BOX_ID, latencyPlace } from '../../../src/metrics/fields.js';

function exposed(ids = ['shop', 'blog']): Exposed {
  const totals = new Map(ids.map((id) => [id, blank(id)]));
  const shop = totals.get('shop') ?? [];
  shop[app.requests2xx] = 7;
  shop[app.cpuMs] = 1_500;
  for (const ms of [5, 40, 99_999]) shop[latencyPlace(ms)] = 1;
  shop[app.latencyMs] = 100_044;
  const latest = new Map([...ids.map((id): [string, number[]] => [id, blank(id)]), [BOX_ID, blank(BOX_ID)]]);
  return {
    version: '1.2.3',
    apps: ids.map((id) => ({ id, up: id === 'shop', release: null })),
    latest,
    totals,
    sizeOf: (id) => (id === 'shop' ? { storage: 2_048, logs: 512 } : undefined),
  };
}

interface Sample {
  name: string;
  labels: string;
  value: number;
}

/** A strict reader of both formats: families are not interleaved, and each has its type before its samples. */
function parse(text: string): { types: Map<string, string>; samples: Sample[] } {
  const types = new Map<string, string>();
  const helped = new Set<string>();
  const samples: Sample[] = [];
  let family = '';
  const lines = text.split('\n');
  expect(lines.pop()).toBe('');
  for (const [place, line] of lines.entries()) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) ([a-z0-9_]+) (.+)$/.exec(line) ?? [];
    if (line === '# EOF') {
      expect(place).toBe(lines.length - 1);
    } else if (keyword === 'HELP') {
      expect(helped.has(name)).toBe(false);
      helped.add(name);
    } else if (keyword === 'TYPE') {
      expect(helped.has(name)).toBe(true);
      expect(types.has(name)).toBe(false);
      types.set((family = name), rest);
    } else {
      const [, metric = '', labels = '', value] =
        /^([a-z0-9_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)+)\})? (\S+)$/.exec(line) ?? [];
      expect(metric, line).toMatch(new RegExp(`^${family}(_total|_info|_bucket|_sum|_count)?$`));
      expect(Number.isFinite(Number(value)), line).toBe(true);
      samples.push({ name: metric, labels, value: Number(value) });
    }
  }
  const keys = samples.map(({ name, labels }) => `${name} ${labels}`);
  expect(new Set(keys).size).toBe(keys.length);
  return { types, samples };
}

it('has the views of the pages of apps that there are', () => {
  const facts = exposed(['shop']);
  const totals = new Map([...facts.totals, ['shop /sales "1"', [3, 9, 9]], ['shop other', [2]], ['gone /', [1]]]);
  const { samples } = parse(expose({ ...facts, totals }, 'openmetrics'));
  expect(samples.filter(({ name }) => name === 'streamlit_host_app_page_views_total')).toEqual([
    { name: 'streamlit_host_app_page_views_total', labels: 'app="shop",page="/sales \\"1\\""', value: 3 },
    { name: 'streamlit_host_app_page_views_total', labels: 'app="shop",page="other"', value: 2 },
  ]);
});

describe('expose', () => {
  const valueOf = (text: string, name: string, labels: string): number | undefined =>
    parse(text).samples.find((one) => one.name === name && one.labels === labels)?.value;

  it('writes OpenMetrics: counters are named without their suffix, and the end is marked', () => {
    const text = expose(exposed(), 'openmetrics');
    const { types } = parse(text);
    expect(text.endsWith('# EOF\n')).toBe(true);
    expect(types.get('streamlit_host_app_http_requests')).toBe('counter');
    expect(types.get('streamlit_host_build')).toBe('info');
    for (const name of types.keys()) expect(name).not.toMatch(/_(total|info)$/);
  });

  it('writes the text format: counters are named as their samples', () => {
    const text = expose(exposed(), 'text');
    expect(parse(text).types.get('streamlit_host_app_http_requests_total')).toBe('counter');
    expect(text).not.toContain('EOF');
  });

  it('has the figures in base units', () => {
    const text = expose(exposed(), 'text');
    expect(valueOf(text, 'streamlit_host_app_http_requests_total', 'app="shop",code="2xx"')).toBe(7);
    expect(valueOf(text, 'streamlit_host_app_cpu_seconds_total', 'app="shop"')).toBe(1.5);
    expect(valueOf(text, 'streamlit_host_app_storage_bytes', 'app="shop"')).toBe(2_048);
    expect(valueOf(text, 'streamlit_host_app_log_bytes', 'app="shop"')).toBe(512);
    // Nothing is known of it, which is not nothing.
    expect(valueOf(text, 'streamlit_host_app_storage_bytes', 'app="blog"')).toBeUndefined();
    expect(valueOf(text, 'streamlit_host_app_up', 'app="blog"')).toBe(0);
    expect(valueOf(text, 'streamlit_host_build_info', 'version="1.2.3"')).toBe(1);
  });

  it('has buckets that add up', () => {
    const { samples } = parse(expose(exposed(), 'openmetrics'));
    const mine = samples.filter(({ name, labels }) => name.includes('first_byte') && labels.includes('"shop"'));
    const counts = mine.filter(({ name }) => name.endsWith('_bucket')).map(({ value }) => value);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts.at(-1)).toBe(3);
    expect(mine.find(({ name }) => name.endsWith('_count'))?.value).toBe(3);
    expect(mine.find(({ name }) => name.endsWith('_sum'))?.value).toBe(100.044);
  });

  it('has a fixed number of series for each app, and no label with a text of a user', () => {
    const series = (count: number): number =>
      parse(expose(exposed(Array.from({ length: count }, (_, place) => `app-${place}`)), 'text')).samples.length;
    const each = series(2) - series(1);
    expect(series(50)).toBe(series(1) + 49 * each);
    expect(each).toBeLessThan(50);
  });
});
