"""Entry point of an app's Python: `python launch.py <app>`, then its order on stdin, which says what to run and where.

The order may come late. Until then, it does what takes longest: the import of Streamlit, which is the same for every
release of an environment. Where no order comes, the server is gone or does not need this process, and nothing is run.
Runs with every Python that an app may have: 3.7 is enough.
"""
import json
import os
import sys

# Older ones look for the app's config.toml and secrets.toml as they are imported, and the place is not known yet.
FIRST_THAT_LOOKS_LATE = (1, 56)


def main():
    # Python puts the folder of this file first (https://docs.python.org/3/library/sys.html#sys.path).
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]
    if streamlit_version() >= FIRST_THAT_LOOKS_LATE:
        import_ahead()
    with open(0, "rb", closefd=False) as stdin:
        text = stdin.read()
    if not text:
        sys.exit(1)
    obey(json.loads(text.decode("utf-8")))
    from streamlit.web.cli import main as streamlit

    # As `python -m` has it, but not before Streamlit is there: no file of the app's takes the place of what that imports.
    sys.path.insert(0, os.getcwd())
    streamlit(prog_name="streamlit")


def streamlit_version():
    """Returns major and minor; (0,) where they are unknown."""
    try:
        from importlib.metadata import version

        return tuple(int(part) for part in version("streamlit").split(".")[:2])
    except Exception:  # Not installed, or without a version number: the import will say so.
        return (0,)


def import_ahead():
    """Imports Streamlit without output: the release that it would belong to may never come."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    held = [(target, os.dup(target)) for target in (1, 2)]
    for target, _ in held:
        os.dup2(nothing, target)
    os.close(nothing)
    try:
        import streamlit.web.cli  # noqa: F401
    except Exception:  # Imported again when there is somebody to say so to.
        pass
    sys.stdout.flush()
    for target, log in held:
        os.dup2(log, target)
        os.close(log)


def obey(order):
    """The order: `argv`, `cwd` and `environment` (what is not there yet)."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.chdir(order["cwd"])
    os.environ.update(order["environment"])
    sys.argv = order["argv"]


if __name__ == "__main__":
    main()
