import { describe, expect, it } from 'vitest';
import { shortenTracebacks } from '../../../../src/domain/streamlit/traceback.js';

const SOURCE = '/data/apps/hello/releases/3/source';
const ENVIRONMENT = '/data/environments/109df881';
const PLACES = { source: [SOURCE], environment: [ENVIRONMENT], home: ['/data/apps/hello/storage'] };
const PACKAGES = `${ENVIRONMENT}/lib/python3.11/site-packages`;

const shorten = (text: string): string => shortenTracebacks(text.split('\n'), PLACES).join('\n');

describe("an app's output", () => {
  it("keeps the project's frames, with project paths, and drops those of packages", () => {
    const text = `2026-11-21 23:30:34.300 Uncaught app execution
Traceback (most recent call last):
  File "${PACKAGES}/streamlit/runtime/scriptrunner/exec_code.py", line 136, in exec_func_with_error_handling
    result = func()
             ^^^^^^
  File "${PACKAGES}/streamlit/runtime/scriptrunner/script_runner.py", line 936, in code_to_exec
    exec(code, module.__dict__)  # noqa: S102
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "${SOURCE}/app.py", line 6, in <module>
    load()
  File "${PACKAGES}/streamlit/runtime/caching/cache_utils.py", line 762, in __call__
    return self._get(args)
  File "${SOURCE}/lib/data.py", line 4, in load
    raise ValueError("no")
ValueError: no`;
    expect(shorten(text)).toBe(`2026-11-21 23:30:34.300 Uncaught app execution
Traceback (most recent call last):
  File "app.py", line 6, in <module>
    load()
  File "lib/data.py", line 4, in load
    raise ValueError("no")
ValueError: no`);
  });

  it("keeps nothing but the position of the script's syntax error, as Python itself does", () => {
    const text = `2026-11-21 23:30:34.300 Script compilation error
Traceback (most recent call last):
  File "${PACKAGES}/streamlit/runtime/scriptrunner/magic.py", line 48, in add_magic
    tree = ast.parse(code, script_path, "exec")
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/ast.py", line 50, in parse
    return compile(source, filename, mode, flags,
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "${SOURCE}/app.py", line 3
    def broken(:
               ^
SyntaxError: invalid syntax`;
    expect(shorten(text)).toBe(`2026-11-21 23:30:34.300 Script compilation error
  File "app.py", line 3
    def broken(:
               ^
SyntaxError: invalid syntax`);
  });

  it("keeps the imports that lead to a module's syntax error", () => {
    const text = `Traceback (most recent call last):
  File "/usr/lib/python3.11/threading.py", line 975, in run
    self._target()
  File "${SOURCE}/app.py", line 2, in <module>
    import lib.data
  File "/usr/lib/python3.11/ast.py", line 50, in parse
    return compile(source, filename, mode, flags,
  File "${SOURCE}/lib/data.py", line 3
    def broken(:
               ^
SyntaxError: invalid syntax`;
    expect(shorten(text)).toBe(`Traceback (most recent call last):
  File "app.py", line 2, in <module>
    import lib.data
  File "lib/data.py", line 3
    def broken(:
               ^
SyntaxError: invalid syntax`);
  });

  it('keeps the last frame of a traceback entirely in packages, by package name', () => {
    const text = `Traceback (most recent call last):
  File "${ENVIRONMENT}/bin/streamlit", line 4, in <module>
    main()
  File "${PACKAGES}/streamlit/config.py", line 9, in get
    raise RuntimeError("bad option")
RuntimeError: bad option`;
    expect(shorten(text)).toBe(`Traceback (most recent call last):
  File "streamlit/config.py", line 9, in get
    raise RuntimeError("bad option")
RuntimeError: bad option`);
  });

  it('treats each traceback of a chain separately', () => {
    const text = `Traceback (most recent call last):
  File "${SOURCE}/app.py", line 2, in <module>
    {}["a"]
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "${PACKAGES}/streamlit/x.py", line 1, in f
    g()
  File "${SOURCE}/app.py", line 4, in <module>
    raise RuntimeError("b")
RuntimeError: b`;
    expect(shorten(text)).toBe(`Traceback (most recent call last):
  File "app.py", line 2, in <module>
    {}["a"]
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 4, in <module>
    raise RuntimeError("b")
RuntimeError: b`);
  });

  it("drops a repetition with the frame that it counts, and keeps the project's", () => {
    const text = `  File "${PACKAGES}/a.py", line 1, in f
    f()
  [Previous line repeated 10 more times]
  File "${SOURCE}/app.py", line 3, in g
    g()
  [Previous line repeated 995 more times]
RecursionError: maximum recursion depth exceeded`;
    expect(shorten(text)).toBe(`  File "app.py", line 3, in g
    g()
  [Previous line repeated 995 more times]
RecursionError: maximum recursion depth exceeded`);
  });

  it('reads an exception group, whose lines begin with bars', () => {
    const text = `  + Exception Group Traceback (most recent call last):
  |   File "${PACKAGES}/streamlit/x.py", line 1, in f
  |     run()
  |   File "${SOURCE}/app.py", line 2, in <module>
  |     raise ExceptionGroup("two", [a, b])
  | ExceptionGroup: two (2 sub-exceptions)`;
    expect(shorten(text)).toBe(`  + Exception Group Traceback (most recent call last):
  |   File "app.py", line 2, in <module>
  |     raise ExceptionGroup("two", [a, b])
  | ExceptionGroup: two (2 sub-exceptions)`);
  });

  it('removes the folders from other lines too, and keeps everything else', () => {
    const text = `${PACKAGES}/pandas/core.py:12: FutureWarning: old
reading ${SOURCE}/data/a.csv and ${SOURCE}/b.csv
no secrets in /data/apps/hello/storage/.streamlit/secrets.toml, nor in /data/apps/other/storage/x

  indented: File of a person, line 3
/data/apps/other/releases/1/source/app.py`;
    expect(shorten(text)).toBe(`pandas/core.py:12: FutureWarning: old
reading data/a.csv and b.csv
no secrets in ~/.streamlit/secrets.toml, nor in /data/apps/other/storage/x

  indented: File of a person, line 3
/data/apps/other/releases/1/source/app.py`);
  });

  it('keeps frames of Python itself', () => {
    const text = `  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
json.decoder.JSONDecodeError: Expecting value`;
    expect(shorten(text)).toBe(text);
  });

  it("keeps frames of Python itself that the project's own lead to", () => {
    const text = `  File "/usr/lib/python3.11/threading.py", line 975, in run
    self._target()
  File "${SOURCE}/app.py", line 2, in <module>
    json.loads("")
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
json.decoder.JSONDecodeError: Expecting value`;
    expect(shorten(text)).toBe(`  File "app.py", line 2, in <module>
    json.loads("")
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
json.decoder.JSONDecodeError: Expecting value`);
  });

  it('returns nothing for nothing', () => {
    expect(shortenTracebacks([], PLACES)).toEqual([]);
  });
});
