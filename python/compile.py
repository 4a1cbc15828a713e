"""Compiles the Python files of an environment: `python -I -S compile.py FOLDER [CACHE]`.

It runs none of them. The environment's own Python would: it executes what packages put there (`.pth` files) as it begins.
Packages' own tests are left out: they are never imported, and of what Streamlit brings along they are more than half of the work.
What is left out or cannot be compiled is compiled when it is imported, as ever. Runs with every Python that an app may have: 3.7
is enough.

CACHE is uv's. It keeps each wheel unpacked, and an install links or copies all that lies there. So what is compiled is put beside
its source there, and the next environment with that wheel has it from the start. A run that was killed is finished by the next
one, which removes its drafts.
"""
import contextlib
import errno
import glob
import importlib.util
import marshal
import os
import re
import shutil
import sys
import warnings

TESTS = ("tests", "test")
DRAFT = re.compile(r"\.pyc\.[0-9a-f]{16}$")
# What is wrong with the machine, not with a file: a later run may do better.
SHORT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
# Of a file that was compiled by the hash of its source, unchecked (https://peps.python.org/pep-0552/).
HEADER = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")


def main(folder, cache=None):
    warnings.simplefilter("ignore")
    twins = {} if cache is None else dict(twins_of(folder, cache))
    files = sorted(sources(folder))
    drafts = drafts_in(cache) if twins else None
    workers = len(os.sched_getaffinity(0))
    for first in range(workers):
        if os.fork() == 0:
            for number in range(first, len(files), workers):
                file = files[number]
                try:
                    compile_file(file, twins.get(file), drafts and os.path.join(drafts, str(number)))
                except Exception as error:  # Some files are there to be wrong: a test's, or of another Python.
                    if is_short(error):
                        sys.stderr.write("%s: %s\n" % (file, str(error) or type(error).__name__))
                        sys.stderr.flush()
                        os._exit(1)
            os._exit(0)
    try:
        while True:
            _, status = os.wait()
            if status != 0:
                sys.exit(1)
    except ChildProcessError:  # All have ended.
        pass
    if drafts is not None:
        share([(os.path.join(drafts, str(number)), twins.get(file)) for number, file in enumerate(files)])
        shutil.rmtree(drafts, ignore_errors=True)


def is_short(error):
    """Whether a file could not be compiled for want of room or memory. Of a file that is nested too deeply, a parser says so too,
    but with a text."""
    return isinstance(error, OSError) and error.errno in SHORT or isinstance(error, MemoryError) and not error.args


def sources(folder):
    """The Python files below a folder, but for those of tests. Removes what a run that was killed has left between them."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in TESTS]
        for name in names:
            if name.endswith(".py"):
                yield os.path.join(place, name)
            elif DRAFT.search(name) and os.path.basename(place) == "__pycache__":
                with contextlib.suppress(FileNotFoundError):
                    os.remove(os.path.join(place, name))


def twins_of(folder, cache):
    """The files of an environment that are linked from uv's cache, each with that file. Nothing else is believed to come from
    there: what is built in an environment can write to it, and another index can have a wheel of the same name."""
    unpacked = {}
    for place in glob.glob(os.path.join(glob.escape(cache), "archive-v*", "*")):
        for name in names_in(place):
            if name.endswith(".dist-info"):
                unpacked.setdefault(name, []).append(place)
    for site in glob.glob(os.path.join(glob.escape(folder), "lib", "*", "site-packages")):
        for wheel in names_in(site):
            for place in unpacked.get(wheel, ()):
                if is_same(os.path.join(site, wheel, "METADATA"), os.path.join(place, wheel, "METADATA")):
                    for twin in sources(place):
                        file = os.path.join(site, os.path.relpath(twin, place))
                        if is_same(file, twin):
                            yield file, twin


def is_same(one, other):
    try:
        return os.path.samefile(one, other)
    except OSError:  # One of them is not there.
        return False


def names_in(folder):
    try:
        return os.listdir(folder)
    except OSError:  # A clean-up of the cache took it, or it is a file.
        return []


def compile_file(file, twin, draft):
    """Compiles one file, unless it is linked from the cache and compiled there. Bytecode that is in an environment for another
    reason is replaced: whatever was built there can have put it there."""
    compiled = importlib.util.cache_from_source(file)
    other = twin and importlib.util.cache_from_source(twin)
    if other is not None and is_same(compiled, other):
        return
    with open(file, "rb") as opened:
        source = opened.read()
    content = other and kept(other, source)
    if content is None:
        content = compile_source(source, os.path.basename(file))
        if other is not None and draft is not None:
            with contextlib.suppress(OSError):  # No room: the environment itself is compiled.
                replace(draft, content)
    os.makedirs(os.path.dirname(compiled), exist_ok=True)
    replace(compiled, content)


def kept(compiled, source):
    """What a file has that was compiled from this source, or None."""
    try:
        with open(compiled, "rb") as opened:
            content = opened.read()
    except OSError:
        return None
    return content if content[: len(HEADER) + 8] == HEADER + importlib.util.source_hash(source) else None


def drafts_in(cache):
    """A folder for what goes into the cache, empty; None where there can be none. It is no part of what an install reads: that
    would fail where a file that it has seen is gone."""
    folder = os.path.join(cache, "streamlit-host")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        os.makedirs(folder)
    except OSError:  # No room, no right, or another server of this cache does the same.
        return None
    return folder


def share(drafts):
    """Puts what was compiled beside its source in the cache. It is on the disk before it has its name: the half of a file that a
    machine without power leaves would be in every environment from then on."""
    made = [(draft, twin) for draft, twin in drafts if twin is not None and os.path.exists(draft)]
    if made:
        os.sync()
    for draft, twin in made:
        compiled = importlib.util.cache_from_source(twin)
        with contextlib.suppress(OSError):  # A clean-up of the cache took it.
            os.makedirs(os.path.dirname(compiled), exist_ok=True)
            os.replace(draft, compiled)


def compile_source(source, name):
    """What Python keeps of a source (PEP 552). It is made of the bytes that were read once: what a package's build has left
    running could change the files meanwhile, and with them what others get for the same source. The name within is any: Python
    puts in the right one on import. Nothing of an environment ever changes, so no source is compared then."""
    code = compile(source, name, "exec", dont_inherit=True)
    return HEADER + importlib.util.source_hash(source) + marshal.dumps(code)


def replace(path, content):
    """Writes a file completely or not at all. The name of the draft is its own: in cages, processes share their numbers."""
    draft = draft_of(path)
    try:
        with open(draft, "wb") as file:
            file.write(content)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):  # It was not even made, or the next run removes it.
            os.remove(draft)
        raise


def draft_of(path):
    return "%s.%s" % (path, os.urandom(8).hex())


if __name__ == "__main__":
    main(*sys.argv[1:])
