"""What the kernel says of a process: /proc, read as a reviewer would. For the tests of confinement."""
import contextlib
import ctypes
import errno
import fcntl
import os
import re
import signal
import socket
import termios

from harness import wait_for

NAMESPACES = ("pid", "net", "mnt", "ipc", "uts", "cgroup")
SYS_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def read(pid, name):
    with open("/proc/%s/%s" % (pid, name), encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


def status(pid):
    """/proc/PID/status as a dictionary of words."""
    return {name: value.split() for name, value in
            (line.split(":", 1) for line in read(pid, "status").splitlines())}


@contextlib.contextmanager
def held_up(pid):
    """The process is stopped for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("it to stand still", lambda: status(pid)["State"][0] == "T")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def capabilities(pid):
    return {name: int(status(pid)[name][0], 16) for name in CAPABILITY_SETS}


def limit(pid, name):
    """(soft, hard) of a row of /proc/PID/limits; None stands for unlimited."""
    row = re.search(r"^%s +(\S+) +(\S+)" % re.escape(name), read(pid, "limits"), re.M)
    return tuple(None if x == "unlimited" else int(x) for x in row.groups())


def namespaces(pid):
    return {kind: os.readlink("/proc/%s/ns/%s" % (pid, kind)) for kind in NAMESPACES}


def descriptors(pid):
    """Number to what it is: "socket:[N]", "anon_inode:[eventpoll]", a path."""
    directory = "/proc/%s/fd" % pid
    found = {}
    for fd in os.listdir(directory):
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            found[int(fd)] = os.readlink("%s/%s" % (directory, fd))
    return found


def close_on_exec(pid, fd):
    flags = int(re.search(r"^flags:\s+(\d+)", read(pid, "fdinfo/%d" % fd), re.M).group(1), 8)
    return bool(flags & os.O_CLOEXEC)


def borrow(pid, fd):
    """A duplicate of a descriptor that another process holds, as a socket (pidfd_getfd; Linux 5.6, root)."""
    pidfd = os.pidfd_open(pid)
    try:
        got = _libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)
        if got < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd %d %d" % (pid, fd))
    finally:
        os.close(pidfd)
    return socket.socket(fileno=got)


def kind(pid, fd, target):
    if not target.startswith("socket:"):
        return target
    with borrow(pid, fd) as sock:
        words = [sock.family.name[3:].lower(), sock.type.name[5:].lower()]
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            words.append("listening")
        return " ".join(words)


def kinds(pid):
    """Number to kind: for a socket its family, type, and whether it listens; for anything else its name."""
    found = {}
    for fd, target in descriptors(pid).items():
        try:
            found[fd] = kind(pid, fd, target)
        except OSError as error:
            if error.errno != errno.EBADF:  # closed since it was listed
                raise
    return found


def mounts(pid):
    """The lines of /proc/PID/mountinfo: root of the mount, where it is, its options, its file system."""
    found = []
    for line in read(pid, "mountinfo").splitlines():
        before, after = line.split(" - ")
        words = before.split()
        found.append({"root": words[3], "point": words[4], "options": set(words[5].split(",")),
                      "optional": words[6:], "type": after.split()[0]})
    return found


def maps(pid):
    """Start addresses of what is mapped, by name; the first mapping of each name."""
    found = {}
    for line in read(pid, "maps").splitlines():
        words = line.split(None, 5)
        found.setdefault(words[5] if len(words) > 5 else "", int(words[0].split("-")[0], 16))
    return found


def unread(pid, fd):
    """How many bytes wait to be received on a socket that another process holds (SIOCINQ)."""
    with borrow(pid, fd) as sock:
        return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, b"\0\0\0\0"), "little")


def pinned_page(pid, family=socket.AF_UNIX):
    """The page that the filter pins connect() to: address, content, the kernel's flags for it.

    It is the one page that is read-only, private, of no file, and begins with the address's family.
    """
    mapping = None
    for line in read(pid, "smaps").splitlines():
        words = line.split()
        if re.fullmatch("[0-9a-f]+-[0-9a-f]+", words[0]):
            mapping = words
        elif words[0] == "VmFlags:" and mapping[1] == "r--p" and len(mapping) == 5 and mapping[4] == "0":
            start, end = (int(x, 16) for x in mapping[0].split("-"))
            with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
                memory.seek(start)
                content = memory.read(end - start)
            if content[:2] == family.to_bytes(2, "little"):
                return start, content, words[1:]
    raise AssertionError("no such page")
