"""Compiles the Python files of an environment: `python -I -S compile.py FOLDER [STORE]`.

It runs none of them. The environment's own Python would: it executes what packages put there (`.pth` files) as it begins.
Packages' own tests are left out: they are never imported, and of what Streamlit brings along they are more than half of the work.
What is left out or cannot be compiled is compiled when it is imported, as ever. Runs with every Python that an app may have: 3.7
is enough.

STORE keeps what was compiled by the hash of its source, so an environment that shares packages with an earlier one is made
without compiling them again. A run that was killed is finished by the next one, which removes its drafts. An entry begins with the hash of its content: one that a crash of the machine left incomplete is
not used.
"""
import contextlib
import errno
import hashlib
import importlib.util
import marshal
import os
import re
import sys
import warnings

TESTS = ("tests", "test")
DRAFT = re.compile(r"\.pyc\.[0-9a-f]{16}$")
# What is wrong with the machine, not with a file: a later run may do better.
SHORT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
DIGEST = hashlib.sha256().digest_size


def main(folder, store=None):
    warnings.simplefilter("ignore")
    if store is not None:
        # What one version of Python has compiled means nothing to another.
        store = os.path.join(store, sys.implementation.cache_tag + "-" + importlib.util.MAGIC_NUMBER[:2].hex())
        os.makedirs(store, exist_ok=True)
    files = sorted(sources(folder))
    workers = len(os.sched_getaffinity(0))
    for first in range(workers):
        if os.fork() == 0:
            for file in files[first::workers]:
                try:
                    compile_file(file, store)
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
                os.remove(os.path.join(place, name))


def compile_file(file, store):
    """Compiles one file, or takes what was compiled from the same source before."""
    compiled = importlib.util.cache_from_source(file)
    with open(file, "rb") as opened:
        source = opened.read()
    entry = None if store is None else os.path.join(store, hashlib.sha256(source).hexdigest())
    content = None if entry is None else kept(entry)
    new = content is None
    if new:
        content = compile_source(source, os.path.basename(file))
    os.makedirs(os.path.dirname(compiled), exist_ok=True)
    replace(compiled, content)
    if new and entry is not None:
        replace(entry, hashlib.sha256(content).digest() + content)


def compile_source(source, name):
    """What Python keeps of a source (PEP 552). It is made of the bytes that were read once: what a package's build has left
    running could change the files meanwhile, and with them what others get for the same source. The name within is any: Python
    puts in the right one on import. Nothing of an environment ever changes, so no source is compared then."""
    code = compile(source, name, "exec", dont_inherit=True)
    flags = (1).to_bytes(4, "little")  # By hash, unchecked.
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + marshal.dumps(code)


def kept(entry):
    """What an entry of the store holds, or None. Its time tells that it is used."""
    try:
        with open(entry, "rb") as file:
            digest, content = file.read(DIGEST), file.read()
        if hashlib.sha256(content).digest() != digest:
            return None
        os.utime(entry)
        return content
    except FileNotFoundError:
        return None


def replace(path, content):
    """Writes a file completely or not at all. The name of the draft is its own: in cages, processes share their numbers."""
    draft = "%s.%s" % (path, os.urandom(8).hex())
    try:
        with open(draft, "wb") as file:
            file.write(content)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):  # It was not even made, or the next run removes it.
            os.remove(draft)
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
