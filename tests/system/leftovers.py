"""The folders of a run, and what is left of it at its end.

Every process that runs tests has a folder of its own, in which the tests make theirs, and names its network namespaces after
its own number. Whatever bears either name at the end was left behind by it, and by nobody else who tests on this machine.
"""
import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile

_lasting = set()


@functools.lru_cache(maxsize=None)
def home():
    path = tempfile.mkdtemp(prefix="metaward-tests-")
    os.chmod(path, 0o755)
    return path


def folder(word, lasting=False):
    """A new folder that everybody can search. Who asks for it removes it; one that is `lasting` goes with the run."""
    path = tempfile.mkdtemp(prefix=word + "-", dir=home())
    os.chmod(path, 0o755)
    if lasting:
        _lasting.add(path)
    return path


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:  # gone since it was listed
        return ""


def processes():
    """Number to command line: our children, and whoever has our folder in the command line."""
    children = " ".join(_read("/proc/self/task/%s/children" % task) for task in os.listdir("/proc/self/task")).split()
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        line = _read("/proc/%s/cmdline" % pid)
        if line and pid != str(os.getpid()) and (pid in children or home() + "/" in line):  # a zombie has none
            found[int(pid)] = line.replace("\0", " ").strip()
    return found


def mounts():
    return [line.split()[4] for line in _read("/proc/self/mountinfo").splitlines() if home() + "/" in line.split()[4]]


def namespaces():
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    return [name for name in names if re.fullmatch(r"[a-z-]+%d-\d+" % os.getpid(), name)]


def folders():
    return sorted({entry.path for entry in os.scandir(home())} - _lasting)


def left():
    """One line for each thing that is there."""
    return (["process %d: %s" % item for item in processes().items()] + ["mount " + path for path in mounts()] +
            ["network namespace " + name for name in namespaces()] + ["folder " + path for path in folders()])


def remove():
    for pid in processes():
        os.kill(pid, signal.SIGKILL)
    for path in reversed(mounts()):
        subprocess.run(["umount", "-l", path], check=False)
    for name in namespaces():
        subprocess.run(["ip", "netns", "del", name], check=False)
    shutil.rmtree(home())
