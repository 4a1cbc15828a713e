import { describe, expect, it } from 'vitest';
import { chooseEntrypoint } from '../../../../src/domain/project/entrypoint.js';

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
  ])('of %j takes %s', (paths, file) => {
    expect(chooseEntrypoint(paths)).toEqual({ file });
  });

  it.each([
    [
      ['main.py', 'utils.py'],
      'There is no app.py or streamlit_app.py at the top of the project, and main.py and utils.py could each be the app: rename the one to run to app.py, or name it in streamlit-host.toml (main = "…").',
    ],
    [
      ['src/app.py', 'README.md'],
      'There is no app.py or streamlit_app.py at the top of the project, only src/app.py: push the folder that holds it as the project itself, or name it in streamlit-host.toml (main = "src/app.py").',
    ],
    [
      ['setup.py'],
      'There is no app.py or streamlit_app.py at the top of the project, and setup.py is not an app: add app.py.',
    ],
    [
      ['README.md', 'data/x.csv', 'data/y.csv'],
      'There is no app.py or streamlit_app.py at the top of the project, nor any other Python file that could be the app; there is README.md and data/: add app.py.',
    ],
    [[], 'The project is empty: add app.py and requirements.txt.'],
  ])('of %j takes none, and says what it looked for and what is there', (paths, refusal) => {
    expect(chooseEntrypoint(paths)).toEqual({ refusal });
  });

  it('takes the one that streamlit-host.toml names, wherever it is, and no other', () => {
    expect(chooseEntrypoint(['app.py', 'src/dash.py'], 'src/dash.py')).toEqual({ file: 'src/dash.py' });
    expect(chooseEntrypoint(['app.py', 'x.txt'], 'dash.py')).toEqual({
      refusal:
        'streamlit-host.toml names dash.py as the main file, and that is not in the project; there is app.py: change that line.',
    });
  });

  it('does not repeat control characters or endless lists of a pushed project', () => {
    const paths = Array.from({ length: 1_000 }, (_, index) => `a\u001b[31m${index}.py`);
    const chosen = chooseEntrypoint(paths);
    expect(chosen).toHaveProperty('refusal', expect.stringMatching(/and 995 more could each be the app/));
    expect(JSON.stringify(chosen)).not.toContain('\\u001b');
  });
});
