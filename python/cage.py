"""The last step into a cage: `python -I -S cage.py`, with what is to be run as a line of JSON on descriptor 3, which is
answered once the cage is shut. A listening socket on descriptor 4 takes its place then.

Everything that a process can only do to itself happens here, before any code of an app's runs: its user, its rights, its
limits and Landlock. It is run by the Python that an environment was made from and never by the environment's own, which
executes what packages put there (`.pth` files) as it begins. Variables of the app's reach the app alone: what runs before it
would obey those that speak to the loader of programs. Runs with every Python that an app may have: 3.7 is enough.
"""
import ctypes
import errno
import os
import resource
import stat
import struct
import sys

# https://docs.kernel.org/userspace-api/landlock.html; the same numbers on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
# How many rights of files each version of Landlock knows, from the first one on.
RIGHTS = (13, 14, 15, 15, 16)
SCOPED_VERSION, SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 6, 1, 2
PATH_BENEATH = 1

# https://man7.org/linux/man-pages/man2/prctl.2.html
SET_SECCOMP, CAPBSET_DROP, SET_NO_NEW_PRIVS, CAP_AMBIENT, CLEAR_ALL = 22, 24, 38, 47, 4
LAST_CAPABILITY = 63

libc = ctypes.CDLL(None, use_errno=True)


def main():
    # Signals reach it and what it starts, and not what bubblewrap has put around it.
    if os.getpgrp() != os.getpid():
        os.setsid()
    with open(3, "rb", closefd=False) as pipe:
        order = from_json(pipe.readline().decode("utf-8"))
    limit(order.get("umask", 0o077))
    become(order.get("uid"), order.get("groups", []))
    version = landlock_version()
    if order["landlock"] is None:
        hide_abstract_sockets(version)
    else:
        restrict(version, order["landlock"])
    alone = order["landlock"] is None
    filter_calls(alone or order.get("unixSockets"), order.get("userNamespaces"), alone)
    os.chdir(order["cwd"])
    os.write(3, b"caged\n")
    if order["listener"]:
        os.dup2(4, 3)
    close_descriptors(3 if order["listener"] else 2)
    argv = order["argv"]
    os.execve(argv[0], argv, order["environment"])


def from_json(text):
    """What `json.loads` makes of it, whose import takes half of the time of this whole step: it brings regular expressions."""
    try:
        from _json import make_scanner
    except ImportError:  # Another Python than CPython.
        from json import loads

        return loads(text)

    class Rules:
        strict, object_hook, object_pairs_hook, parse_constant, memo = True, None, None, None, {}
        parse_float, parse_int = float, int

    return make_scanner(Rules)(text, 0)[0]


def close_descriptors(last):
    """All but the first ones: what the server was started with may be open still."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > last:
                os.close(int(name))
        except OSError:  # The one by which the list was read.
            pass


def limit(umask):
    """No core dumps, which would hold secrets, and files that nobody else reads unless told. The limits only stop what runs away."""
    os.umask(umask)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, most in ((resource.RLIMIT_NOFILE, 65536), (resource.RLIMIT_NPROC, 8192)):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # Of open files, few more than usual at first: some programs close every descriptor that there may be.
        resource.setrlimit(kind, (min(most, 8192) if kind == resource.RLIMIT_NOFILE else most, most))


def become(uid, groups):
    """Another user where one is named, and no capability, now or later. All of it is refused to who has no rights: fine."""
    if os.geteuid() == 0:
        for capability in range(LAST_CAPABILITY + 1):
            libc.prctl(CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(CAP_AMBIENT, CLEAR_ALL, 0, 0, 0)
    if uid is not None:
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    need(libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    # Of one who stays root as well; `version 3, this process`, then three empty sets of two words each.
    header = struct.pack("=II", 0x20080522, 0)
    need(libc.capset(header, bytes(24)), "capset")


def landlock_version():
    """0 where the kernel has none, or it is switched off."""
    return max(0, libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def hide_abstract_sockets(version):
    """Where files are hidden otherwise. An older kernel has no means against it."""
    if version >= SCOPED_VERSION:
        enforce(ruleset(0, SCOPE_ABSTRACT_SOCKETS, version))


def restrict(version, rules):
    """Files alone: what is named may be read, or written, and nothing else."""
    if version < 1:
        sys.exit("cage: this kernel has no Landlock")
    known = (1 << RIGHTS[min(version, len(RIGHTS)) - 1]) - 1
    rules_fd = ruleset(known, SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS, version)
    for path in rules["read"]:
        allow(rules_fd, path, READ & known)
    for path in rules["write"]:
        allow(rules_fd, path, known)
    for path in rules["unlisted"]:
        allow(rules_fd, path, known & ~READ_DIR)
    enforce(rules_fd)


def ruleset(files, scoped, version):
    attributes = struct.pack("=QQQ", files, 0, scoped)[: 24 if version >= SCOPED_VERSION else 16 if version >= 4 else 8]
    fd = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    need(fd, "landlock_create_ruleset")
    return fd


def allow(rules_fd, path, rights):
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # Not every machine has it all.
        return
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        rights &= OF_FILES
    rule = struct.pack("=Qi", rights, fd)
    need(libc.syscall(ADD_RULE, rules_fd, PATH_BENEATH, rule, 0), "landlock_add_rule " + path)
    os.close(fd)


def enforce(rules_fd):
    need(libc.syscall(RESTRICT_SELF, rules_fd, 0), "landlock_restrict_self")
    os.close(rules_fd)


# https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html: the audit number of each architecture, and its
# numbers of the calls that are filtered.
ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        dict(
            socket=41, io_uring_setup=425, clone=56, unshare=272, clone3=435, add_key=248, request_key=249, keyctl=250,
            prlimit64=302, shmget=29, shmat=30, shmctl=31, semget=64, semop=65, semctl=66, semtimedop=220, msgget=68, msgsnd=69,
            msgrcv=70, msgctl=71, mq_open=240,
        ),
    ),
    "aarch64": (
        0xC00000B7,
        dict(
            socket=198, io_uring_setup=425, clone=220, unshare=97, clone3=435, add_key=217, request_key=218, keyctl=219,
            prlimit64=261, shmget=194, shmat=196, shmctl=195, semget=190, semop=193, semctl=191, semtimedop=192, msgget=186,
            msgsnd=189, msgrcv=188, msgctl=187, mq_open=180,
        ),
    ),
}
LOAD, EQUAL, AT_LEAST, ANY_BIT, ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
CALL, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
NEW_USER_NAMESPACE = 0x10000000
ANYBODY_ELSE = 0xFFFFFFFF

# Rules: a call, a test of its first argument (every call unless given), and the error that it gets.
# Landlock does not hide sockets that have a path, so none is made that could reach them, nor by way of io_uring; pairs go on
# working.
WITHOUT_UNIX_SOCKETS = (("socket", EQUAL, 1, errno.EACCES), ("io_uring_setup", None, 0, errno.EACCES))
# In a user namespace of its own, a process has all capabilities, and reaches code of the kernel that is for root otherwise. No
# filter can read the flags of clone3; every C library goes on with clone where the kernel has no clone3.
WITHOUT_USER_NAMESPACES = (
    ("unshare", ANY_BIT, NEW_USER_NAMESPACE, errno.EPERM),
    ("clone", ANY_BIT, NEW_USER_NAMESPACE, errno.EPERM),
    ("clone3", None, 0, errno.ENOSYS),
)
# Keys of the kernel belong to a user, or to the session that the server was started in.
WITHOUT_KEYS = tuple((call, None, 0, errno.EPERM) for call in ("add_key", "request_key", "keyctl"))
# What belongs to a user, without a path, where all are the same one and share namespaces: shared memory, semaphores and queues
# of System V, message queues, and the limits of processes; those of CPU time would end the server.
WITHOUT_OTHERS = tuple(
    (call, None, 0, errno.EPERM)
    for call in "shmget shmat shmctl semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open".split()
) + (("prlimit64", ANY_BIT, ANYBODY_ELSE, errno.EPERM),)


def filter_calls(unix_sockets, user_namespaces, alone):
    """Refuses calls that no rule on files can. Where the architecture is unknown, nothing is filtered."""
    audit, numbers = ARCHITECTURES.get(os.uname().machine, (None, None))
    rules = WITHOUT_KEYS + (() if alone else WITHOUT_OTHERS)
    rules += (() if unix_sockets else WITHOUT_UNIX_SOCKETS) + (() if user_namespaces else WITHOUT_USER_NAMESPACES)
    if audit is None:
        return
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, audit),
        (ANSWER, 0, 0, KILL),
        (LOAD, 0, 0, CALL),
        # The other numbering of x86-64 (x32).
        (AT_LEAST, 0, 1, 0x40000000),
        (ANSWER, 0, 0, REFUSE | errno.EACCES),
    ]
    for call, test, value, error in rules:
        program += refuse(numbers[call], test, value, REFUSE | error)
    program.append((ANSWER, 0, 0, ALLOW))
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    held = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("@HP", len(program), ctypes.addressof(held))
    need(libc.prctl(SET_SECCOMP, 2, filter_, 0, 0), "seccomp")


def refuse(number, test, value, answer):
    """The lines that refuse a call, where its first argument is or has a value; every time without a test."""
    if test is None:
        return [(EQUAL, 0, 1, number), (ANSWER, 0, 0, answer)]
    return [
        (EQUAL, 0, 4, number),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (test, 0, 1, value),
        (ANSWER, 0, 0, answer),
        (LOAD, 0, 0, CALL),
    ]


def need(result, what):
    if result < 0:
        sys.exit("cage: %s: %s" % (what, os.strerror(ctypes.get_errno())))


if __name__ == "__main__":
    main()
