import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig, usualTaskLimit } from '../../src/settings.js';

function mistakesOf(env: Record<string, string>): string[] {
  try {
    readConfig(env, '/work');
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

it('an app may have more processes and threads on a larger machine, within bounds', () => {
  expect([1, 2, 4, 8, 32, 64].map(usualTaskLimit)).toEqual([512, 512, 512, 1_024, 4_096, 4_096]);
  expect(readConfig({ STREAMLIT_HOST_PROCESS_LIMIT: '0' }, '/work').taskLimit).toBe(0);
});

describe('the settings', () => {
  it('are all listed in the README', async () => {
    const [source, readme] = await Promise.all(['src/settings.ts', 'README.md'].map((file) => readFile(file, 'utf8')));
    const names = [
      ...(source ?? '').matchAll(/\b(?:read|integer|minutes|days|beside|oneOf|readPublicBase\(read)\('([A-Z_]+)'/g),
    ].map(([, name]) => name ?? '');
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(readme).toContain(`STREAMLIT_HOST_${name}`);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '127.0.0.1'],
    ['::1', '[::1]'],
    ['192.0.2.7', '192.0.2.7'],
  ])('include how this machine reaches a server that listens on %s', (bind, host) => {
    expect(readConfig({ STREAMLIT_HOST_BIND: bind }, '/work').localHost).toBe(host);
  });

  it('let /metrics be read without a token on loopback alone', () => {
    const env = { STREAMLIT_HOST_METRICS_TOKEN: 'none' };
    expect(readConfig(env, '/work').metricsToken).toBeNull();
    expect(readConfig({}, '/work').metricsToken).toBeUndefined();
    const sentence = expect.stringContaining('on loopback alone') as string;
    expect(mistakesOf({ ...env, STREAMLIT_HOST_BIND: '0.0.0.0' })).toEqual([sentence]);
    expect(mistakesOf({ ...env, STREAMLIT_HOST_PUBLIC_BASE: 'https://apps.example.com' })).toEqual([sentence]);
    expect(mistakesOf({ STREAMLIT_HOST_METRICS_TOKEN: 'short' })).toHaveLength(1);
  });

  it('all have defaults', () => {
    expect(readConfig({}, '/srv/here')).toMatchObject({
      port: 8080,
      bind: '127.0.0.1',
      data: '/srv/here/data',
      publicBase: 'http://127.0.0.1:8080',
      token: undefined,
      redisUrl: undefined,
      keptReleases: 10,
      systemPackages: 'check',
      memoryLimitMb: 0,
      pictures: true,
      buildEnv: {},
      logLevel: 'info',
    });
  });

  it('choose what runs apps', () => {
    expect(readConfig({}, '/work')).toMatchObject({
      runtime: 'process',
      docker: { socket: '/var/run/docker.sock', network: 'bridge' },
    });
    const chosen = {
      STREAMLIT_HOST_RUNTIME: 'docker',
      STREAMLIT_HOST_DOCKER_SOCKET: 'docker.sock',
      STREAMLIT_HOST_DOCKER_NETWORK: 'host',
    };
    expect(readConfig(chosen, '/work')).toMatchObject({
      runtime: 'docker',
      docker: { socket: '/work/docker.sock', network: 'host' },
    });
    expect(() => readConfig({ STREAMLIT_HOST_RUNTIME: 'podman' }, '/work')).toThrow(
      'STREAMLIT_HOST_RUNTIME must be process or docker or swarm (found podman).',
    );
    // The network of another container would be that app's.
    expect(() => readConfig({ STREAMLIT_HOST_DOCKER_NETWORK: 'container:x' }, '/work')).toThrow(
      'STREAMLIT_HOST_DOCKER_NETWORK must be the name of a Docker network',
    );
  });

  it('name what apps may ask of their cage, and nothing in or around the data folder', () => {
    const read = (folders: string, devices = 'gpu:/dev/fuse') =>
      readConfig(
        {
          STREAMLIT_HOST_DATA: '/srv/data',
          STREAMLIT_HOST_CAGE_READ_ONLY: folders,
          STREAMLIT_HOST_CAGE_DEVICES: devices,
        },
        '/work',
      );
    expect(read('/srv/models:/srv/data-sets')).toMatchObject({
      cageReadOnly: ['/srv/models', '/srv/data-sets'],
      cageDevices: ['gpu', '/dev/fuse'],
    });
    for (const folder of ['models', '/srv', '/srv/data', '/srv/data/apps', '/srv/models/..'])
      expect(() => read(folder)).toThrow(
        'STREAMLIT_HOST_CAGE_READ_ONLY must be absolute paths without "..", and not in',
      );
    expect(() => read('/srv/models', '/etc/shadow')).toThrow(
      'STREAMLIT_HOST_CAGE_DEVICES must be "gpu" or paths below',
    );
  });

  it('are read from the environment', () => {
    const config = readConfig(
      {
        STREAMLIT_HOST_PORT: '9000',
        STREAMLIT_HOST_BIND: '0.0.0.0',
        STREAMLIT_HOST_DATA: '/srv/data',
        STREAMLIT_HOST_PUBLIC_BASE: 'https://intranet.example.com/tools/streamlit/',
        STREAMLIT_HOST_TOKEN: 'a-token-that-is-long',
        STREAMLIT_HOST_PORT_MIN: '20000',
        STREAMLIT_HOST_PORT_MAX: '20010',
        STREAMLIT_HOST_DEPLOYS: '3',
        STREAMLIT_HOST_PICTURES: 'off',
        STREAMLIT_HOST_PREBUILD: 'off',
        REDIS_URL: 'redis://redis:6379',
      },
      '/work',
    );
    expect(config).toMatchObject({
      port: 9000,
      bind: '0.0.0.0',
      data: '/srv/data',
      publicBase: 'https://intranet.example.com/tools/streamlit',
      token: 'a-token-that-is-long',
      ports: { min: 20_000, max: 20_010 },
      prebuild: false,
      deploys: 3,
      pictures: false,
      redisUrl: 'redis://redis:6379',
    });
  });

  it('include whether branches get previews, and for how long', () => {
    expect(readConfig({}, '/work').previews).toEqual({ on: false, idleMs: 14 * 86_400_000 });
    expect(readConfig({ STREAMLIT_HOST_PREVIEWS: 'on', STREAMLIT_HOST_PREVIEW_DAYS: '0.5' }, '/work').previews).toEqual(
      { on: true, idleMs: 43_200_000 },
    );
    expect(mistakesOf({ STREAMLIT_HOST_PREVIEWS: 'yes', STREAMLIT_HOST_PREVIEW_DAYS: '-1' })).toEqual([
      'STREAMLIT_HOST_PREVIEWS must be off or on (found yes).',
      'STREAMLIT_HOST_PREVIEW_DAYS must be a number of days, 0 or more (found -1).',
    ]);
  });

  it('include what is kept, the memory limit, and what to do about Debian packages', () => {
    expect(readConfig({}, '/work')).toMatchObject({ keptReleases: 10, memoryLimitMb: 0, systemPackages: 'check' });
    const told = {
      STREAMLIT_HOST_KEEP_RELEASES: '3',
      STREAMLIT_HOST_MEMORY_LIMIT_MB: '2000',
      STREAMLIT_HOST_SYSTEM_PACKAGES: 'install',
    };
    expect(readConfig(told, '/work')).toMatchObject({
      keptReleases: 3,
      memoryLimitMb: 2_000,
      systemPackages: 'install',
    });
    expect(mistakesOf({ STREAMLIT_HOST_KEEP_RELEASES: '0', STREAMLIT_HOST_SYSTEM_PACKAGES: 'yes' })).toEqual([
      'STREAMLIT_HOST_KEEP_RELEASES must be a whole number from 1 to 1000 (found 0).',
      'STREAMLIT_HOST_SYSTEM_PACKAGES must be check or install (found yes).',
    ]);
  });

  it('find config.json where the server is started, and the apps and logs folders next to it', () => {
    expect(readConfig({}, '/srv/here').controller).toEqual({
      config: '/srv/here/config.json',
      apps: '/srv/here/apps',
      logs: '/srv/here/logs',
    });
    expect(
      readConfig({ STREAMLIT_HOST_CONFIG: 'old/config.json', STREAMLIT_HOST_LOGS: '/var/log/apps' }, '/srv').controller,
    ).toEqual({
      config: '/srv/old/config.json',
      apps: '/srv/old/apps',
      logs: '/var/log/apps',
    });
  });

  it('use the port in config.json unless another is set', () => {
    expect(readConfig({}, '/srv', { port: 5000 })).toMatchObject({ port: 5000, publicBase: 'http://127.0.0.1:5000' });
    expect(readConfig({ STREAMLIT_HOST_PORT: '9000' }, '/srv', { port: 5000 }).port).toBe(9000);
  });

  it('treat empty values as unset', () => {
    expect(readConfig({ STREAMLIT_HOST_PORT: ' ', STREAMLIT_HOST_TOKEN: '', REDIS_URL: '' }, '/work')).toMatchObject({
      port: 8080,
      token: undefined,
      redisUrl: undefined,
    });
  });

  it.each([
    ['0.0.0.0', 'http://localhost:8080'],
    ['::', 'http://localhost:8080'],
    ['::1', 'http://[::1]:8080'],
    ['192.0.2.7', 'http://192.0.2.7:8080'],
  ])('link to a URL that can be opened when the server listens on %s', (bind, base) => {
    expect(readConfig({ STREAMLIT_HOST_BIND: bind }, '/work').publicBase).toBe(base);
  });

  it.each([
    [{ STREAMLIT_HOST_PORT: '80a' }, /STREAMLIT_HOST_PORT must be a whole number from 0 to 65535/],
    [{ STREAMLIT_HOST_PORT: '70000' }, /STREAMLIT_HOST_PORT/],
    [{ STREAMLIT_HOST_PORT: '-1' }, /STREAMLIT_HOST_PORT/],
    [{ STREAMLIT_HOST_PORT: '1.5' }, /STREAMLIT_HOST_PORT/],
    [
      { STREAMLIT_HOST_PORT_MIN: '9000', STREAMLIT_HOST_PORT_MAX: '8000' },
      /PORT_MIN \(9000\) must not be above STREAMLIT_HOST_PORT_MAX \(8000\)/,
    ],
    [{ STREAMLIT_HOST_DEPLOYS: '0' }, /STREAMLIT_HOST_DEPLOYS/],
    [{ STREAMLIT_HOST_TOKEN: 'short' }, /STREAMLIT_HOST_TOKEN must be 16 to 256 printable characters/],
    [{ STREAMLIT_HOST_TOKEN: 'with spaces in the token' }, /STREAMLIT_HOST_TOKEN/],
    [{ STREAMLIT_HOST_PUBLIC_BASE: 'apps.example.com' }, /STREAMLIT_HOST_PUBLIC_BASE/],
    [{ STREAMLIT_HOST_PUBLIC_BASE: 'ftp://apps.example.com' }, /STREAMLIT_HOST_PUBLIC_BASE/],
    [{ STREAMLIT_HOST_PUBLIC_BASE: 'https://me:secret@apps.example.com' }, /STREAMLIT_HOST_PUBLIC_BASE/],
    [{ STREAMLIT_HOST_PUBLIC_BASE: 'https://apps.example.com/?x=1' }, /STREAMLIT_HOST_PUBLIC_BASE/],
    [{ REDIS_URL: 'localhost:6379' }, /REDIS_URL must begin with redis:\/\//],
    [{ STREAMLIT_HOST_LOG_LEVEL: 'loud' }, /STREAMLIT_HOST_LOG_LEVEL must be .*found loud/],
  ])('say what is wrong with %j', (env, sentence) => {
    const mistakes = mistakesOf(env);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toMatch(sentence);
  });

  it('report all mistakes at once', () => {
    expect(mistakesOf({ STREAMLIT_HOST_PORT: 'x', STREAMLIT_HOST_TOKEN: 'x', REDIS_URL: 'x' })).toHaveLength(3);
  });

  it('never repeat a secret', () => {
    expect(mistakesOf({ STREAMLIT_HOST_TOKEN: 'my secret', REDIS_URL: 'my:secret@redis' }).join()).not.toContain(
      'secret@',
    );
    expect(mistakesOf({ STREAMLIT_HOST_TOKEN: 'hunter two' }).join()).not.toContain('hunter');
    expect(mistakesOf({ STREAMLIT_HOST_PUBLIC_BASE: 'https://me:hunter2@apps.example.com' }).join()).not.toContain(
      'hunter2',
    );
  });

  it('pass on to builds what installs need, and nothing else', () => {
    const needed = {
      PIP_INDEX_URL: 'a',
      UV_INDEX: 'b',
      HTTPS_PROXY: 'c',
      https_proxy: 'd',
      NO_PROXY: 'e',
      SSL_CERT_FILE: 'f',
      REQUESTS_CA_BUNDLE: 'g',
    };
    const others = {
      STREAMLIT_HOST_TOKEN: 'a-token-that-is-long',
      AWS_SECRET_ACCESS_KEY: 'x',
      NODE_OPTIONS: '--x',
      LD_PRELOAD: 'x',
      PYTHONPATH: 'x',
      MY_HTTPS_PROXY: 'x',
    };
    expect(readConfig({ ...needed, ...others }, '/work').buildEnv).toEqual(needed);
  });

  it.each<[Record<string, string>, number | undefined, string | undefined]>([
    [{}, undefined, undefined],
    [{ BIND: '::1' }, undefined, undefined],
    [{ PUBLIC_BASE: 'http://localhost:9000' }, undefined, undefined],
    [{ PUBLIC_BASE: 'http://apps.localhost' }, undefined, undefined],
    [{ PUBLIC_BASE: 'https://apps.example.com' }, undefined, undefined],
    [{ PUBLIC_BASE: 'https://apps.example.com', BIND: '0.0.0.0' }, undefined, undefined],
    [{ BIND: '0.0.0.0' }, 8081, 'http://localhost:8081'],
    [{ BIND: '0.0.0.0', APPS_PORT: 'off' }, undefined, undefined],
    [{ BIND: '0.0.0.0', APPS_PORT: 'same' }, undefined, undefined],
    [{ BIND: '0.0.0.0', PORT: '0' }, 0, 'http://localhost:0'],
    [{ BIND: '10.1.2.3', PORT: '9000' }, 9001, 'http://10.1.2.3:9001'],
    [{ PUBLIC_BASE: 'http://apps.example.com/tools/' }, 8081, 'http://apps.example.com:8081/tools'],
    [{ APPS_PORT: '7000' }, 7000, 'http://127.0.0.1:7000'],
    [{ APPS_PORT: '0' }, 0, 'http://127.0.0.1:0'],
    [{ PUBLIC_BASE: 'https://example.com', APPS_BASE: 'https://apps.example.com/' }, 8081, 'https://apps.example.com'],
  ])('give apps their own origin if they need one: %j', (settings, port, base) => {
    const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`STREAMLIT_HOST_${name}`, value]));
    const config = readConfig(env, '/work');
    expect(config.appsOrigin).toEqual(port === undefined ? undefined : { port, base });
    expect(config.unsafeOrigin).toBe(settings.BIND === '0.0.0.0' && /off|same/.test(settings.APPS_PORT ?? ''));
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ APPS_PORT: 'yes' }, /STREAMLIT_HOST_APPS_PORT must be off, or a whole number/],
    [{ APPS_PORT: '8080' }, /other than STREAMLIT_HOST_PORT/],
    [{ APPS_PORT: '65536' }, /STREAMLIT_HOST_APPS_PORT/],
    [{ BIND: '0.0.0.0', PORT: '65535' }, /STREAMLIT_HOST_APPS_PORT.*found 65536/],
    [{ APPS_BASE: 'apps.example.com' }, /STREAMLIT_HOST_APPS_BASE must be a URL/],
    [{ APPS_BASE: 'http://127.0.0.1:8080' }, /STREAMLIT_HOST_APPS_BASE must differ/],
    [{ APPS_BASE: 'http://127.0.0.1:8081/elsewhere' }, /only in its port or host/],
    [{ APPS_BASE: 'http://127.0.0.1:8081', APPS_PORT: 'off' }, /STREAMLIT_HOST_APPS_BASE cannot be used/],
  ])('refuse an invalid origin for apps: %j', (settings, mistake) => {
    const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`STREAMLIT_HOST_${name}`, value]));
    expect(mistakesOf(env)).toEqual([expect.stringMatching(mistake)]);
  });
});
