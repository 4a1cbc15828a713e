"""Compiles the Python files of an environment: `python -I -S compile.py FOLDER`.

It runs none of them. The environment's own Python would: it executes what packages put there (`.pth` files) as it begins.
Files that cannot be compiled are compiled when they are imported, as ever. Runs with every Python that an app may have: 3.7 is enough.
"""
import compileall
import os
import sys
import warnings


def main(folder):
    warnings.simplefilter("ignore")
    files = sorted(
        os.path.join(place, name) for place, _, names in os.walk(folder) for name in names if name.endswith(".py")
    )
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


if __name__ == "__main__":
    main(sys.argv[1])
