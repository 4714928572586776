"""Namespaces of the bench's own: network, mounts, processes.

All traffic stays on a loopback device that nobody else has, /dev/log is the bench's own, and when the bench ends, in whatever
way, the kernel ends everything that it has started and removes what it has made.
"""
import os
import signal
import subprocess
import sys

MARK = "METAWARD_BENCH_APART"
# As they are everywhere: name, major, minor.
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9))


def enter():
    """Start this program once more inside, and end with its status; inside, prepare what it finds."""
    if os.environ.get(MARK) != "1":
        if os.getuid() != 0:
            sys.exit("bench: root is needed: namespaces are made")
        os.environ[MARK] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
                              sys.executable, "-B", *sys.argv])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by SIGTERM"))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    own_dev()


def own_dev():
    """A /dev with the few devices that programs look for, in which /dev/log can be made."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=16m", "dev", "/dev"], check=True)
    os.umask(0)
    for name, major, minor in DEVICES:
        os.mknod("/dev/" + name, 0o020666, os.makedev(major, minor))
    os.mkdir("/dev/shm", 0o1777)
    os.umask(0o022)
