import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { appFileJsonSchema, parseAppFile } from '../../../../src/domain/project/app-file.js';

const FULL = `# all of it
main = "src/dashboard.py"
python = "3.12"
dependencies = "requirements.txt"
description = "What we sold, by week"
tags = ["Sales", " north  west ", "sales"]
hidden = true
replicas = 3

[check]
script = "off"
timeout_s = 30

[sleep]
after_minutes = 60

`;

describe('parseAppFile', () => {
  it('reads every setting, and requires none', () => {
    expect(parseAppFile(FULL)).toEqual({
      main: 'src/dashboard.py',
      python: '3.12',
      dependencies: 'requirements.txt',
      description: 'What we sold, by week',
      tags: ['sales', 'north west'],
      hidden: true,
      replicas: 3,
      check: { script: 'off', timeout_s: 30 },
      sleep: { after_minutes: 60 },
    });
    expect(parseAppFile('\uFEFF# nothing yet\r\n')).toEqual({});
  });

  it.each([
    [
      '\nmian = "app.py"\n',
      'streamlit-host.toml, line 2: unknown setting mian. Valid settings: root, main, python, dependencies, description, tags, hidden, replicas, check, drain, sleep, memory, requests, cage.',
    ],
    [
      '[check]\nscript = "main"\ntimeout = 3\n',
      'streamlit-host.toml, line 3: unknown setting check.timeout. Valid settings: script, timeout_s.',
    ],
    [
      '[chek]\nscript = "main"\n',
      'streamlit-host.toml, line 1: unknown setting chek. Valid settings: root, main, python, dependencies, description, tags, hidden, replicas, check, drain, sleep, memory, requests, cage.',
    ],
    ['[check]\nscript = "every"\n', 'streamlit-host.toml, line 2: check.script must be "main", "all-pages" or "off".'],
    [
      '[check]\n\ntimeout_s = 61\n',
      'streamlit-host.toml, line 3: check.timeout_s must be a whole number from 1 to 60.',
    ],
    [
      'check = { timeout_s = "3" }\n',
      'streamlit-host.toml, line 1: check.timeout_s must be a whole number from 1 to 60.',
    ],
    ['check.timeout_s = 0.5\n', 'streamlit-host.toml, line 1: check.timeout_s must be a whole number from 1 to 60.'],
    ['replicas = 0\n', 'streamlit-host.toml, line 1: replicas must be a whole number from 1 to 16.'],
    ['replicas = "3"\n', 'streamlit-host.toml, line 1: replicas must be a whole number from 1 to 16.'],
    ['check = "off"\n', 'streamlit-host.toml, line 1: check must be a table with the heading [check].'],
    ['python = 3.10\n', 'streamlit-host.toml, line 1: python must be a version as a string, such as "3.12".'],
    ['tags = "sales"\n', 'streamlit-host.toml, line 1: tags must be a list of strings, such as ["sales", "north"].'],
    ['\ntags = ["sales", " "]\n', 'streamlit-host.toml, line 2: tags.1 must be 1 to 24 characters long.'],
    ['hidden = "yes"\n', 'streamlit-host.toml, line 1: hidden must be true or false.'],
    ['main = "../app.py"\nmain_ = 1', /unknown setting main_|main must be/],
    [
      'main = "/etc/x.py"\n',
      'streamlit-host.toml, line 1: main must be the path of a Python file in the project, such as "src/app.py".',
    ],
    ['main = "-x.py"\n', /main must be the path/],
    ['main = "app.sh"\n', /main must be the path/],
    ['dependencies = "setup.py"\n', /dependencies must be one of uv\.lock, /],
    [
      '[sleep]\nafter_minutes = -1\n',
      'streamlit-host.toml, line 2: sleep.after_minutes must be a whole number of minutes from 1 to 10080.',
    ],
    ['a = 1\nb = = 2\n', 'streamlit-host.toml, line 2: invalid TOML: invalid value.'],
    ['"evil\\u001b[31m" = 1\n', /^streamlit-host\.toml(, line 1)?: unknown setting evil\?\[31m\. /],
  ])('refuses %j, and says where and why', (text, sentence) => {
    expect(() => parseAppFile(text)).toThrow(sentence);
    expect(() => parseAppFile(text)).toThrow(
      expect.objectContaining({ code: 'app-file-invalid', kind: 'invalid', field: 'streamlit-host.toml' }),
    );
  });
});

describe('docs', () => {
  it('contain the current schema of the file', async () => {
    // To write it anew: remove the file, then run this test.
    await expect(`${JSON.stringify(appFileJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(
      '../../../../docs/streamlit-host.schema.json',
    );
  });

  it('describe every setting', async () => {
    const text = await readFile(new URL('../../../../docs/app-file.md', import.meta.url), 'utf8');
    const schema = appFileJsonSchema() as { properties: Record<string, { properties?: Record<string, unknown> }> };
    for (const [name, { properties }] of Object.entries(schema.properties)) {
      expect(text).toContain(properties === undefined ? name : `[${name}]`);
      for (const key of Object.keys(properties ?? {})) expect(text).toContain(key);
    }
    const example = /```toml\n([\s\S]*?)```/.exec(text)?.[1] ?? 'none = 1';
    expect(Object.keys(parseAppFile(example))).toEqual(Object.keys(schema.properties));
  });
});
