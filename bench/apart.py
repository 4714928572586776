"""Namespaces of the bench's own: network, mounts, processes.

All traffic stays on a loopback device that nobody else has, /dev/log is the bench's own, and when the bench ends, in whatever
way, the kernel ends everything that it has started and removes what it has made.
"""
import ctypes
import os
import signal
import subprocess
import sys
import tempfile

DIRECTORY = "METAWARD_BENCH_DIRECTORY"  # set inside: for what is made
PR_SET_PDEATHSIG = 1
# As they are everywhere: name, major, minor.
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9))


def enter():
    """Start this program once more inside, and end with its status. -> inside, a directory for what is made"""
    if DIRECTORY not in os.environ:
        if os.getuid() != 0:
            sys.exit("bench: root is needed: namespaces are made")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by SIGTERM"))
        with tempfile.TemporaryDirectory(prefix="metaward-bench-") as directory:
            os.chmod(directory, 0o755)
            sys.exit(run_inside(directory))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    own_dev()
    own_run()
    return os.environ[DIRECTORY]


def run_inside(directory):
    """unshare(1) turns a deaf ear to signals, but its death is the death of all that is inside."""
    prctl = ctypes.CDLL(None).prctl
    with subprocess.Popen(["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
                           sys.executable, "-B", *sys.argv], env=dict(os.environ, **{DIRECTORY: directory}),
                          preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)) as process:
        try:
            return process.wait()
        finally:
            process.kill()


def own_dev():
    """A /dev with the few devices that programs look for, in which /dev/log can be made."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=16m", "dev", "/dev"], check=True)
    os.umask(0)
    for name, major, minor in DEVICES:
        os.mknod("/dev/" + name, 0o020666, os.makedev(major, minor))
    os.mkdir("/dev/shm", 0o1777)
    os.umask(0o022)


def own_run():
    """Names of namespaces, among them "bench" for the own one, and the place of a host daemon's control socket."""
    for path in ("/run/netns", "/run/metaward"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "run", path], check=True)
    with open("/run/netns/bench", "w", encoding="ascii"):
        pass
    subprocess.run(["mount", "--bind", "/proc/self/ns/net", "/run/netns/bench"], check=True)
