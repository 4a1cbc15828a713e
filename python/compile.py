"""Compiles the Python files of an environment: `python -I -S compile.py FOLDER`.

It runs none of them. The environment's own Python would: it executes what packages put there (`.pth` files) as it begins.
Packages' own tests are left out: they are never imported, and of what Streamlit brings along they are more than half of the work.
What is left out or cannot be compiled is compiled when it is imported, as ever. Runs with every Python that an app may have: 3.7
is enough.
"""
import compileall
import os
import sys
import warnings

TESTS = ("tests", "test")


def main(folder):
    warnings.simplefilter("ignore")
    files = sorted(sources(folder))
    workers = len(os.sched_getaffinity(0))
    for first in range(workers):
        if os.fork() == 0:
            for file in files[first::workers]:
                try:
                    compileall.compile_file(file, quiet=2)
                except Exception:  # Some files are there to be wrong: a test's, or of another Python.
                    pass
            os._exit(0)
    try:
        while True:
            _, status = os.wait()
            if status != 0:
                sys.exit(1)
    except ChildProcessError:  # All have ended.
        pass


def sources(folder):
    """The Python files below a folder, but for those of tests."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in TESTS]
        for name in names:
            if name.endswith(".py"):
                yield os.path.join(place, name)


if __name__ == "__main__":
    main(sys.argv[1])
