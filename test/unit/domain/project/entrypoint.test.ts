import { describe, expect, it } from 'vitest';
import { chooseEntrypoint, withoutLauncher } from '../../../../src/domain/project/entrypoint.js';

describe('chooseEntrypoint', () => {
  it.each([
    [['app.py', 'streamlit_app.py', 'main.py'], 'app.py'],
    [['streamlit_app.py', 'main.py', 'pages/one.py'], 'streamlit_app.py'],
    [['dashboard.py', 'requirements.txt', 'pages/one.py'], 'dashboard.py'],
    [
      [
        'Hello.py',
        'setup.py',
        'conftest.py',
        'test_hello.py',
        'hello_test.py',
        'tests.py',
        'noxfile.py',
        'tasks.py',
        '_x.py',
        '.y.py',
      ],
      'Hello.py',
    ],
    [['latest.py'], 'latest.py'],
  ])('chooses for %j: %s', (paths, file) => {
    expect(chooseEntrypoint(paths)).toEqual({ file });
  });

  it.each<[string[], string, string[]]>([
    [
      ['main.py', 'utils.py'],
      'No app.py or streamlit_app.py in the project root, and main.py and utils.py could each be the app. Rename the right one to app.py, or push with -o main=…, set it as the main file in the console, or set main = "…" in streamlit-host.toml.',
      ['main.py', 'utils.py'],
    ],
    [
      ['src/app.py', 'README.md'],
      'No app.py or streamlit_app.py in the project root, only src/app.py. To deploy it, push with -o main=src/app.py, set it as the main file in the console, or set main = "src/app.py" in streamlit-host.toml.',
      ['src/app.py'],
    ],
    [
      ['setup.py', 'src/shop/report.py', 'src/shop/dashboard.py', 'tests/app.py', 'src/shop/pages/app.py'],
      'No app.py or streamlit_app.py in the project root, but src/shop/dashboard.py and src/shop/report.py may be the app. To deploy it, push with -o main=src/shop/dashboard.py, set it as the main file in the console, or set main = "src/shop/dashboard.py" in streamlit-host.toml.',
      ['src/shop/dashboard.py', 'src/shop/report.py'],
    ],
    [
      ['setup.py'],
      'No app.py or streamlit_app.py in the project root, and setup.py cannot be the app. Add app.py.',
      [],
    ],
    [
      ['README.md', 'data/x.csv', 'data/y.csv'],
      'No app.py or streamlit_app.py in the project root, and no other Python file that could be the app. The project has README.md and data/. Add app.py.',
      [],
    ],
    [[], 'The project is empty. Add app.py and requirements.txt.', []],
  ])(
    'chooses none for %j, and says what it looked for, what it found and what it could be',
    (paths, refusal, candidates) => {
      expect(chooseEntrypoint(paths)).toEqual({ refusal, candidates });
    },
  );

  it('chooses the file set in streamlit-host.toml, wherever it is, and no other', () => {
    expect(chooseEntrypoint(['app.py', 'src/dash.py'], { file: 'src/dash.py', where: 'streamlit-host.toml' })).toEqual({
      file: 'src/dash.py',
    });
    expect(chooseEntrypoint(['app.py', 'x.txt'], { file: 'dash.py', where: 'streamlit-host.toml' })).toEqual({
      refusal: 'The main file dash.py, set in streamlit-host.toml, is not in the project. Its Python files: app.py.',
      candidates: ['app.py'],
    });
  });

  it.each([
    ['import streamlit.web.cli as stcli', true],
    ['from streamlit.web import cli as stcli', true],
    ['    from streamlit import cli', true],
    ['from streamlit.web.bootstrap import run', true],
    ['subprocess.run([sys.executable, "-m", "streamlit", "run", "app.py"])', true],
    ["os.system('streamlit run app.py')", true],
    ['import streamlit as st', false],
    ['from streamlit import cache_data', false],
    ['import streamlit.components.v1 as components', false],
    ['st.code("Start it with: streamlit run app.py")', false],
    ['# import streamlit.web.cli', false],
  ])('keeps the only Python file with %j unless that starts Streamlit', (line, isLauncher) => {
    const paths = ['run_app.py', 'src/main.py'];
    const found = withoutLauncher(chooseEntrypoint(paths), paths, `import sys\n${line}\n`);
    expect(found).toEqual(
      isLauncher
        ? {
            refusal:
              'No app.py or streamlit_app.py in the project root (run_app.py starts Streamlit itself), but src/main.py may be the app. To deploy it, push with -o main=src/main.py, set it as the main file in the console, or set main = "src/main.py" in streamlit-host.toml.',
            candidates: ['src/main.py'],
          }
        : { file: 'run_app.py' },
    );
  });

  it('keeps a file that is called like an app, whatever it starts', () => {
    expect(withoutLauncher(chooseEntrypoint(['app.py']), ['app.py'], 'from streamlit.web import cli\n')).toEqual({
      file: 'app.py',
    });
  });

  it('does not repeat control characters or endless lists from a project', () => {
    const paths = Array.from({ length: 1_000 }, (_, index) => `a\u001b[31m${index}.py`);
    const chosen = chooseEntrypoint(paths);
    expect(chosen).toHaveProperty('refusal', expect.stringMatching(/and 995 more could each be the app/));
    expect(JSON.stringify(chosen)).not.toContain('\\u001b');
  });
});
