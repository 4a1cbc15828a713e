"""The first step in a container on another machine: `python -I -S agent.py`.

It connects to the server, which no app could do in its place: where the server is and a ticket that is good for one use come
in the environment, and all else over the connection. It starts the app with what it is told, and then carries between the
two: the connections of visitors to the socket that the app was handed, what the app prints to the server's log, signals to
the app, and how the app ended. So no port of the app's is open anywhere, and the server needs no route to it.

A lost connection is made again, for as long as the app runs: the next server takes over. Of an app that has no order yet, it
is the end. As a container's first process, it looks after orphans. Runs with every Python that an app may have: 3.7 is enough.
"""
# Python's `signal` and `socket` take as long to import as all the rest.
import _signal
import _socket
import os
import select
import sys
import time

# The app's socket, in the network namespace of the container: it has no file that could be replaced.
LISTENER = b"\0streamlit-host"
# How many connections may wait to be accepted.
BACKLOG = 4096
# How many connections wait for visitors.
PARKED = 4
# The most that is read at once, kept for the other side of a connection, sent ahead of its receipt, and kept of the output.
BLOCK, AHEAD, WINDOW, KEPT = 65536, 262144, 524288, 8388608
# How often it tells what is used, after how long half of a line is sent, and how long connecting may take, in seconds.
TICK, HALF_LINE, CONNECT = 1, 0.2, 5
# How long it waits until the server knows how the app ended, where it was asked to end, and where not.
FAREWELL, MEMORY = 2, 3600
# What people and programs send in order to be heard.
PASSED_ON = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1, _signal.SIGUSR2)
# https://man7.org/linux/man-pages/man2/prctl.2.html
SET_NO_NEW_PRIVS = 38
IN, OUT, ERR, HUP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLERR, select.EPOLLHUP


class Loop:
    """Calls who waits for a descriptor."""

    def __init__(self):
        self.epoll = select.epoll()
        self.waiting = {}

    def want(self, fd, events, call):
        """Nobody waits where no events are wanted: the end of a connection would be told again and again."""
        before = self.waiting.get(fd)
        if not events:
            self.forget(fd)
        elif before is None:
            self.epoll.register(fd, events)
            self.waiting[fd] = (events, call)
        elif before != (events, call):
            self.epoll.modify(fd, events)
            self.waiting[fd] = (events, call)

    def forget(self, fd):
        if self.waiting.pop(fd, None) is not None:
            self.epoll.unregister(fd)

    def turn(self, seconds):
        for fd, events in self.epoll.poll(seconds):
            # An earlier one of this turn may have closed it.
            if fd in self.waiting:
                self.waiting[fd][1](events)


class Pair:
    """Two connections, of which each gets what the other one sends."""

    def __init__(self, loop, one, other, first):
        self.loop, self.ends = loop, (one, other)
        self.pending = (bytearray(), bytearray(first))
        self.ended, self.shut = [False, False], [False, False]
        self.calls = (lambda events: self.hear(0, events), lambda events: self.hear(1, events))
        self.hear(1, OUT)

    def hear(self, at, events):
        try:
            if events & (IN | HUP | ERR) and not self.ended[at]:
                self.read(at)
            for target in (0, 1):
                self.write(target)
        except OSError:
            return self.close()
        if all(self.shut):
            return self.close()
        for which in (0, 1):
            reads = not self.ended[which] and len(self.pending[1 - which]) < AHEAD
            events = (IN if reads else 0) | (OUT if self.pending[which] else 0)
            self.loop.want(self.ends[which].fileno(), events, self.calls[which])

    def read(self, at):
        try:
            part = self.ends[at].recv(BLOCK)
        except BlockingIOError:
            return
        self.pending[1 - at].extend(part)
        self.ended[at] = not part

    def write(self, at):
        pending = self.pending[at]
        try:
            while pending:
                del pending[: self.ends[at].send(pending)]
        except BlockingIOError:
            return
        if self.ended[1 - at] and not self.shut[at]:
            self.shut[at] = True
            self.ends[at].shutdown(_socket.SHUT_WR)

    def close(self):
        for end in self.ends:
            self.loop.forget(end.fileno())
            end.close()


class Agent:
    def __init__(self, loop, place, name, ticket):
        self.loop, self.place, self.name, self.token = loop, place, name, ticket
        self.control, self.received, self.sending = None, bytearray(), bytearray()
        self.retry = self.park_again = self.tick = self.half = 0.0
        self.parked = set()
        self.app, self.exit, self.told, self.asked, self.over = 0, None, False, False, 0.0
        self.listener = self.stdin = self.output = None
        self.order, self.ordered = bytearray(), False
        # The file that is being stored, and the folders whose rights are still to be set.
        self.file, self.folders = None, []
        # The output from `base` on, and how far it was sent over this connection; None before the server wants it.
        self.kept, self.base, self.sent = bytearray(), 0, None
        self.pages = os.sysconf("SC_PAGE_SIZE")
        self.ticks = os.sysconf("SC_CLK_TCK")

    # The connection to the server.

    def request(self, what):
        """A connection that has asked for something, and whose answer has not been read."""
        family, kind, protocol, _, address = _socket.getaddrinfo(self.place[0], self.place[1], 0, _socket.SOCK_STREAM)[0]
        one = _socket.socket(family, kind, protocol)
        try:
            one.settimeout(CONNECT)
            one.connect(address)
            one.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            one.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1)
            for option, value in ((_socket.TCP_KEEPIDLE, 10), (_socket.TCP_KEEPINTVL, 5), (_socket.TCP_KEEPCNT, 3)):
                one.setsockopt(_socket.IPPROTO_TCP, option, value)
            # A server that is gone without a word is noticed after so many ms.
            one.setsockopt(_socket.IPPROTO_TCP, 18, 10000)
            lines = (
                "GET /instances/%s/%s HTTP/1.1" % (self.name, what),
                "Host: %s" % self.place[0],
                "Authorization: Bearer %s" % self.token,
                "Connection: Upgrade",
                "Upgrade: streamlit-host",
            )
            one.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        except OSError:
            one.close()
            raise
        return one

    def connect(self):
        try:
            one = self.request("control")
        except OSError:
            return
        rest = bytearray()
        try:
            while b"\r\n\r\n" not in rest:
                part = one.recv(4096)
                if not part:
                    raise OSError("closed")
                rest.extend(part)
            if not rest.startswith(b"HTTP/1.1 101"):
                raise OSError("refused")
        except OSError:
            one.close()
            return
        one.setblocking(False)
        self.control, self.sending, self.sent = one, bytearray(), None
        self.received = rest[rest.index(b"\r\n\r\n") + 4 :]
        self.told = False
        self.tell_use()
        self.obey_all()
        self.flush()

    def lose(self):
        if self.control is None:
            return
        self.loop.forget(self.control.fileno())
        self.control.close()
        self.control, self.sent = None, None
        if self.output is not None:
            self.loop.want(self.output, IN, self.read_output)
        if not self.ordered:
            # The server is gone, or does not need it.
            end()
        self.retry = time.monotonic() + 0.1

    def send(self, kind, payload=b""):
        if self.control is not None:
            self.sending.extend(kind + len(payload).to_bytes(4, "big") + payload)

    def flush(self):
        if self.control is None:
            return
        try:
            while self.sending:
                del self.sending[: self.control.send(self.sending)]
        except BlockingIOError:
            pass
        except OSError:
            return self.lose()
        self.loop.want(self.control.fileno(), IN | (OUT if self.sending else 0), self.hear)

    def hear(self, events):
        if events & (IN | HUP | ERR):
            try:
                part = self.control.recv(BLOCK)
            except BlockingIOError:
                part = None
            except OSError:
                part = b""
            if part == b"":
                return self.lose()
            self.received.extend(part or b"")
            self.obey_all()
        self.flush()

    def obey_all(self):
        while len(self.received) >= 5:
            end_of = 5 + int.from_bytes(self.received[1:5], "big")
            if len(self.received) < end_of:
                return
            kind, payload = bytes(self.received[:1]), bytes(self.received[5:end_of])
            del self.received[:end_of]
            self.obey(kind, payload)

    def obey(self, kind, payload):
        if kind == b"K":
            self.token = payload.decode()
        elif kind == b"N":
            self.store(payload)
        elif kind == b"W":
            self.fill(payload)
        elif kind == b"B":
            self.all_stored()
            self.begin(payload)
        elif kind == b"O":
            self.all_stored()
            self.ordered = True
            self.order.extend(payload)
            self.give_order(OUT)
        elif kind == b"A":
            self.acknowledge(int(payload))
        elif kind == b"S":
            self.signal(int(payload))
        elif kind == b"D":
            end(self.code())

    # The files of the app.

    def store(self, entry):
        """Makes a folder, a link or a file, whose content follows."""
        kind, rights, path, target = entry.split(b"\0")
        self.close_file()
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if kind == b"f":
                self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, int(rights, 8))
            elif kind == b"l":
                if not os.path.lexists(path):
                    os.symlink(target, path)
            else:
                os.makedirs(path, exist_ok=True)
                self.folders.append((path, int(rights, 8)))
        except OSError as error:
            self.fail(error)

    def fill(self, content):
        try:
            while content:
                content = content[os.write(self.file, content) :]
        except (OSError, TypeError) as error:
            self.fail(error)

    def close_file(self):
        if self.file is not None:
            os.close(self.file)
            self.file = None

    def all_stored(self):
        """Only now, since nothing could be put into a folder that is for reading alone."""
        self.close_file()
        while self.folders:
            try:
                os.chmod(*self.folders.pop())
            except OSError:
                pass  # It is not ours, such as the one in which a volume is.

    def fail(self, error):
        """Says why there is nothing to run: to who waits for it, or in the app's log."""
        if not self.app:
            self.send(b"F", str(error).encode())
            return self.flush()
        self.kept.extend(b"The files of the release could not be stored: %s\n" % str(error).encode())
        kill_all()

    # The app.

    def begin(self, head):
        """Starts the interpreter, which waits for its order."""
        umask, cwd, count, *words = head.split(b"\0")
        argv, environment = words[: int(count)], dict(word.split(b"=", 1) for word in words[int(count) :])
        try:
            os.chdir(cwd)
            if b"/" in argv[0] and not os.access(argv[0], os.X_OK):
                return self.send(b"F", b"127")
            self.listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            self.listener.bind(LISTENER)
            self.listener.listen(BACKLOG)
            read_order, self.stdin = os.pipe()
            self.output, write_output = os.pipe()
            for fd in (self.stdin, self.output):
                os.set_blocking(fd, False)
            self.app = os.fork()
        except OSError as error:
            return self.send(b"F", str(error).encode())
        if not self.app:
            try:
                become_app(int(umask), read_order, write_output, self.listener.fileno(), argv, environment)
            finally:
                os._exit(127)
        for fd in (read_order, write_output):
            os.close(fd)
        # With the app goes the last one who listens.
        self.listener.close()
        self.loop.want(self.output, IN, self.read_output)
        self.send(b"R")
        self.park()

    def give_order(self, _):
        try:
            while self.order:
                del self.order[: os.write(self.stdin, self.order)]
        except BlockingIOError:
            return self.loop.want(self.stdin, OUT, self.give_order)
        except OSError:
            pass  # It has ended: its end tells more than the broken pipe.
        self.loop.forget(self.stdin)
        os.close(self.stdin)

    def signal(self, number):
        self.asked = True
        if number == _signal.SIGKILL:
            kill_all()
        elif self.app and self.exit is None:
            os.kill(self.app, number)

    def look_after(self):
        """Knows the app's end, and buries who has nobody else."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self.app and self.exit is None:
                self.exit = status
                self.over = time.monotonic()
                kill_all()
                self.read_output(IN)

    def code(self):
        if self.exit is None:
            return 1
        return 128 + os.WTERMSIG(self.exit) if os.WIFSIGNALED(self.exit) else os.WEXITSTATUS(self.exit)

    # Its output.

    def read_output(self, _):
        while self.output is not None:
            if len(self.kept) >= KEPT:
                if self.sent is not None and self.exit is None:
                    # It is on its way.
                    self.loop.forget(self.output)
                    return
                lost = self.kept.find(b"\n", len(self.kept) // 2) + 1 or len(self.kept) // 2
                self.base += lost
                del self.kept[:lost]
                if self.sent is not None:
                    self.sent = max(self.sent, self.base)
            try:
                part = os.read(self.output, BLOCK)
            except BlockingIOError:
                break
            if not part:
                self.loop.forget(self.output)
                os.close(self.output)
                self.output = None
                break
            self.kept.extend(part)
        self.send_output()

    def send_output(self):
        """Whole lines, except of one that its end has not followed for a while."""
        if self.sent is None:
            return
        most = min(len(self.kept), self.sent - self.base + WINDOW)
        until = self.kept.rfind(b"\n", self.sent - self.base, most) + 1
        waits = most > max(until, self.sent - self.base)
        if waits:
            now = time.monotonic()
            self.half = self.half or now
            if self.exit is not None or now - self.half >= HALF_LINE or most < len(self.kept):
                until = most
        if not waits or until == most:
            self.half = 0.0
        while self.sent - self.base < until:
            begin = self.sent - self.base
            part = bytes(self.kept[begin : min(until, begin + BLOCK)])
            if begin + BLOCK < until:
                part = part[: part.rfind(b"\n") + 1] or part
            self.send(b"L", self.sent.to_bytes(8, "big") + part)
            self.sent += len(part)
        self.flush()

    def acknowledge(self, offset):
        """The server has what comes before; the first time, it wants the rest."""
        lost = max(0, min(offset - self.base, len(self.kept)))
        del self.kept[:lost]
        self.base += lost
        self.sent = max(self.base, self.sent or 0)
        if self.output is not None:
            self.loop.want(self.output, IN, self.read_output)
        self.send_output()

    # The connections of visitors.

    def park(self):
        while self.app and self.exit is None and len(self.parked) < PARKED:
            try:
                one = self.request("data")
            except OSError:
                self.park_again = time.monotonic() + 0.5
                return
            one.setblocking(False)
            self.parked.add(one)
            self.wait_for_visitor(one)

    def wait_for_visitor(self, one):
        head = bytearray()

        def hear(_):
            try:
                part = one.recv(BLOCK)
            except BlockingIOError:
                return
            except OSError:
                part = b""
            head.extend(part)
            end_of = head.find(b"\r\n\r\n")
            accepted = end_of < 0 or head.startswith(b"HTTP/1.1 101")
            if part and accepted and (end_of < 0 or len(head) == end_of + 4):
                return
            self.loop.forget(one.fileno())
            self.parked.discard(one)
            if not part or not accepted:
                one.close()
                self.park_again = time.monotonic() + 0.5
                return
            self.carry(one, bytes(head[end_of + 4 :]))
            self.park()

        self.loop.want(one.fileno(), IN, hear)

    def carry(self, one, first):
        app = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            app.setblocking(False)
            app.connect(LISTENER)
        except OSError:
            app.close()
            one.close()
            return
        Pair(self.loop, one, app, first)

    # What it tells.

    def tell_use(self):
        memory = ticks = processes = files = 0
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open("/proc/%s/statm" % name, "rb") as file:
                    memory += int(file.read().split()[1]) * self.pages
                with open("/proc/%s/stat" % name, "rb") as file:
                    # utime, stime and those of the children that have ended.
                    ticks += sum(int(word) for word in file.read().rpartition(b")")[2].split()[11:15])
                processes += 1
                files += len(os.listdir("/proc/%s/fd" % name))
            except (OSError, IndexError, ValueError):
                pass  # It has ended, or is not ours to look at.
        words = (memory, processes, ticks / self.ticks, files, memory_kills())
        self.send(b"U", " ".join(str(word) for word in words).encode())

    def tell_end(self):
        if self.exit is None or self.control is None or self.told:
            return
        # Nobody has asked for the output of one that has no order yet.
        if self.sent is None and self.ordered:
            return
        if self.sent is not None and self.sent < self.base + len(self.kept):
            return self.send_output()
        self.told = True
        killed = os.WTERMSIG(self.exit) if os.WIFSIGNALED(self.exit) else 0
        memory = int(killed == _signal.SIGKILL and memory_kills() > 0)
        self.send(b"X", ("%d %d" % (self.code(), memory)).encode())
        self.flush()

    def run(self):
        while True:
            now = time.monotonic()
            if self.control is None and now >= self.retry:
                self.connect()
                self.retry = time.monotonic() + 0.25
                if self.control is None and not self.ordered and now - BEGUN > 60:
                    end()
            if self.control is not None and now >= self.tick:
                self.tick = now + TICK
                self.tell_use()
                self.flush()
            if self.half and now - self.half >= HALF_LINE:
                self.send_output()
            if now >= self.park_again:
                self.park()
            self.tell_end()
            if self.over and now - self.over > (FAREWELL if self.asked else MEMORY):
                end(self.code())
            self.loop.turn(0.05 if self.control is None or self.half or self.exit is not None else 0.5)
            self.look_after()


def become_app(umask, read_order, write_output, listener, argv, environment):
    os.setsid()
    for number in PASSED_ON + (_signal.SIGPIPE,):
        _signal.signal(number, _signal.SIG_DFL)
    os.umask(umask)
    # Swarm has had a setting for that only since Docker 25.
    import ctypes

    if ctypes.CDLL(None).prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return
    os.dup2(read_order, 0)
    for target in (1, 2):
        os.dup2(write_output, target)
    if listener == 3:
        os.set_inheritable(3, True)
    else:
        os.dup2(listener, 3)
    os.execvpe(argv[0], argv, environment)


def memory_kills():
    """How many processes the kernel has ended since the container's memory was used up."""
    for place in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(place, "rb") as file:
                for line in file:
                    name, _, count = line.partition(b" ")
                    if name == b"oom_kill":
                        return int(count)
        except OSError:
            pass
    return 0


def kill_all():
    """All of the container but this process."""
    try:
        os.kill(-1, _signal.SIGKILL)
    except OSError:
        pass  # There is nobody.


def end(code=1):
    """With it ends all that is left of the container."""
    os._exit(code)


def main():
    host, _, port = os.environ["STREAMLIT_HOST_SERVER"].rpartition(":")
    agent = Agent(Loop(), (host.strip("[]"), int(port)), os.environ["STREAMLIT_HOST_INSTANCE"], os.environ["STREAMLIT_HOST_TICKET"])

    def pass_on(number, _):
        if not agent.app:
            end()
        agent.signal(number)

    # A signal ends the wait of the loop.
    wake, woken = os.pipe()
    for fd in (wake, woken):
        os.set_blocking(fd, False)
    agent.loop.want(wake, IN, lambda _: os.read(wake, 4096))
    _signal.set_wakeup_fd(woken)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    for number in PASSED_ON:
        _signal.signal(number, pass_on)
    agent.run()


BEGUN = time.monotonic()

if __name__ == "__main__":
    sys.exit(main())
