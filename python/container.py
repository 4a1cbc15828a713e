"""The first step in a container: `python -I -S container.py`, with what is to be run on stdin.

It opens what the app is handed, before any code of the app's runs: its log, and the socket that it answers on. Both come as
paths, since Docker hands nothing on. So do the app's variables, which would otherwise stand in Docker's own files. What is on
stdin behind them is for what runs.

As a container's first process, it then passes signals on, looks after orphans and ends as the app does. Docker's own program
for that stands in `/sbin`, which is the machine's here. Runs with every Python that an app may have: 3.7 is enough.
"""
# Python's `signal` and `socket` take as long to import as all the rest.
import _signal
import _socket
import os
import sys

# How many digits tell the length of what follows.
HEAD = 8
# How many connections may wait to be accepted.
BACKLOG = 4096


# What people and programs send in order to be heard.
PASSED_ON = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1, _signal.SIGUSR2)


def main():
    # As bytes, whatever the locale is.
    umask, log, listener, cwd, count, *words = read(int(read(HEAD))).split(b"\0")
    argv, environment = words[: int(count)], dict(word.split(b"=", 1) for word in words[int(count) :])
    os.umask(int(umask))
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    handed = listen(listener) if listener else None
    os.chdir(cwd)
    if b"/" in argv[0] and not os.access(argv[0], os.X_OK):
        sys.exit(127)
    os.write(1, b"ready\n")
    # The server takes the socket out of reach before any code of the app's runs.
    read(1)
    app = 0

    def pass_on(number, _):
        if app:
            os.kill(app, number)

    for number in PASSED_ON:
        _signal.signal(number, pass_on)
    app = os.fork()
    if app:
        # Its own stdout stays open, since Docker closes stdin together with it.
        os.close(output)
        if handed is not None:
            os.close(handed)
        look_after(app)
    os.setsid()
    for target in (1, 2):
        os.dup2(output, target)
    if handed is not None:
        os.dup2(handed, 3)
    os.execvpe(argv[0], argv, environment)


def look_after(app):
    """Ends as the app does, as a shell would; with it ends all that is left of the container."""
    while True:
        pid, status = os.wait()
        if pid == app:
            os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def read(size):
    """No byte more: the rest is not for us."""
    parts = b""
    while len(parts) < size:
        part = os.read(0, size - len(parts))
        if not part:  # The server is gone.
            sys.exit(1)
        parts += part
    return parts


def listen(path):
    """Returns the descriptor of a socket that has the path once it takes connections."""
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    draft = path + b".new"
    listener.bind(draft)
    listener.listen(BACKLOG)
    os.rename(draft, path)
    return listener.detach()


if __name__ == "__main__":
    main()
