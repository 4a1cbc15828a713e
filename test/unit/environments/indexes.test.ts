import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePipConf, pipFiles, pipVariables, readUvSettings, uvSettings } from '../../../src/environments/indexes.js';

/** What is always said. */
const ALWAYS = { UV_SYSTEM_CERTS: 'true', UV_NATIVE_TLS: 'true' };

describe('parsePipConf', () => {
  it('reads single and multi-line values, and install overrides global', () => {
    const text = [
      '# company settings',
      '[global]',
      'index-url = https://mirror/simple',
      'Extra_Index_URL: https://a/simple',
      '    https://b/simple',
      '; note',
      'timeout=60',
      '',
      '[install]',
      'timeout = 90',
      'find-links =',
      '    /wheels',
      '    https://c/wheels',
      '[freeze]',
      'timeout = 1',
    ].join('\r\n');
    expect(parsePipConf(text)).toEqual({
      'index-url': 'https://mirror/simple',
      'extra-index-url': 'https://a/simple\nhttps://b/simple',
      timeout: '90',
      'find-links': '/wheels\nhttps://c/wheels',
    });
  });

  it('reads nothing from nonsense', () => {
    expect(parsePipConf('  lonely\nno section = 1\n[global]\nword\n')).toEqual({});
  });
});

describe('uvSettings', () => {
  it("always trusts the system's certificates", () => {
    expect(uvSettings({}, {})).toEqual({ env: ALWAYS, options: [] });
  });

  it("passes pip's settings to uv", () => {
    const pip = {
      'index-url': 'https://mirror/simple',
      'extra-index-url': 'https://a/simple  https://b/simple',
      'find-links': '/wheels https://c/wheels',
      'trusted-host': 'mirror a:8443',
      cert: '/ca.pem',
      'client-cert': '/me.pem',
      timeout: '12.5',
      proxy: 'http://proxy:3128',
    };
    expect(uvSettings({}, pip).env).toEqual({
      ...ALWAYS,
      UV_DEFAULT_INDEX: 'https://mirror/simple',
      UV_INDEX: 'https://a/simple https://b/simple',
      UV_INDEX_STRATEGY: 'unsafe-best-match',
      UV_FIND_LINKS: '/wheels,https://c/wheels',
      UV_INSECURE_HOST: 'mirror a:8443',
      SSL_CERT_FILE: '/ca.pem',
      SSL_CLIENT_CERT: '/me.pem',
      UV_HTTP_TIMEOUT: '13',
      HTTP_PROXY: 'http://proxy:3128',
      HTTPS_PROXY: 'http://proxy:3128',
    });
  });

  it('keeps existing uv settings, including their old names', () => {
    const env = {
      UV_INDEX_URL: 'x',
      UV_EXTRA_INDEX_URL: 'y',
      UV_FIND_LINKS: 'z',
      SSL_CERT_FILE: 'c',
      UV_HTTP_TIMEOUT: '1',
      https_proxy: 'p',
      UV_SYSTEM_CERTS: 'false',
    };
    const pip = { 'index-url': '1', 'extra-index-url': '2', 'find-links': '3', cert: '4', timeout: '5', proxy: '6' };
    expect(uvSettings(env, pip).env).toEqual({ ...ALWAYS, HTTP_PROXY: '6' });
  });

  it('skips a local folder that does not exist, as pip does', () => {
    expect(
      uvSettings({}, { 'find-links': '/here /gone file:///gone' }, (folder) => folder === '/here').env,
    ).toMatchObject({ UV_FIND_LINKS: '/here' });
    expect(uvSettings({}, { 'find-links': '/gone' }, () => false).env).toEqual(ALWAYS);
  });

  it('uses no index if pip uses none', () => {
    expect(uvSettings({}, { 'no-index': 'true', 'index-url': 'https://x', 'extra-index-url': 'https://y' })).toEqual({
      env: ALWAYS,
      options: ['--no-index'],
    });
  });

  it('ignores an invalid timeout', () => {
    expect(uvSettings({}, { timeout: 'soon' }).env).toEqual(ALWAYS);
  });
});

describe('the index settings of the environment', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'indexes-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("are searched in pip's order", () => {
    expect(pipFiles({ HOME: '/h', XDG_CONFIG_DIRS: '/x:/y', PIP_CONFIG_FILE: '/c' })).toEqual([
      '/y/pip/pip.conf',
      '/x/pip/pip.conf',
      '/etc/pip.conf',
      '/h/.pip/pip.conf',
      '/h/.config/pip/pip.conf',
      '/c',
    ]);
    expect(pipFiles({ HOME: '/h', PIP_CONFIG_FILE: '/dev/null' })).toEqual([]);
  });

  it('come from variables in one form', () => {
    expect(pipVariables({ PIP_INDEX_URL: 'x', PIP_CONFIG_FILE: 'y', PIP_EMPTY: '', PATH: 'z' })).toEqual({
      'index-url': 'x',
    });
  });

  it('come from files by precedence, and a variable overrides them all', async () => {
    const config = join(folder, '.config', 'pip');
    await mkdir(config, { recursive: true });
    await writeFile(
      join(config, 'pip.conf'),
      '[global]\nindex-url = https://own/simple\ntimeout = 10\ncert = /own.pem\n',
    );
    await writeFile(join(folder, 'chosen.conf'), '[global]\ntimeout = 20\ncert = /chosen.pem\n');
    const env = {
      HOME: folder,
      XDG_CONFIG_DIRS: folder,
      PIP_CONFIG_FILE: join(folder, 'chosen.conf'),
      PIP_CERT: '/variable.pem',
    };
    expect((await readUvSettings(env)).env).toMatchObject({
      UV_DEFAULT_INDEX: 'https://own/simple',
      UV_HTTP_TIMEOUT: '20',
      SSL_CERT_FILE: '/variable.pem',
    });
  });

  it("give uv its own file, and without one keep uv from finding the app's", async () => {
    const env = { HOME: folder, PIP_CONFIG_FILE: '/dev/null' };
    expect((await readUvSettings({ ...env, UV_NO_CONFIG: '0' })).env).toEqual(ALWAYS);
    await mkdir(join(folder, '.config', 'uv'), { recursive: true });
    await writeFile(join(folder, '.config', 'uv', 'uv.toml'), '');
    expect((await readUvSettings(env)).env).toEqual({
      ...ALWAYS,
      UV_CONFIG_FILE: join(folder, '.config', 'uv', 'uv.toml'),
    });
  });
});
