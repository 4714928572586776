"""The hostile worker (hostile/worker.c), compiled for the test and put in the real one's place.

The parent opens its worker's executable by a path that is compiled in, so the test's is mounted over that file, in a
mount namespace that only this proxy sees.
"""
import functools
import os
import subprocess

import leftovers
from harness import SANITIZED, WORKER

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
SOURCES = ["ipc/address.c", "ipc/channel.c", "ipc/instance.c", "ipc/message.c", "ipc/network.c", "ipc/packet.c", "ipc/settings.c", "ipc/steps.c", "ipc/text.c", "policy/inventory.c", "policy/lockdown.c", "policy/landlock.c", "unpriv/nursery.c"]
OVER = 'mount --bind "$0" "$1" && shift && exec "$@"'


def instead_of(target, source):
    """A prefix for a command: run it where `source` is what stands at `target`."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", OVER, source, target]


@functools.lru_cache(maxsize=None)
def compiled():
    """The executable, and the names of its parts in their order. Made once, gone with the last test."""
    path = os.path.join(leftovers.folder("hostile", lasting=True), "hostile-worker")
    sources = [os.path.join(TOP, s) for s in SOURCES]
    defines = ["-D_GNU_SOURCE"] + (["-DMETAWARD_SANITIZED=1"] if SANITIZED else [])
    subprocess.run(["gcc", "-std=gnu17", "-static", "-I", TOP, *defines, "-o", path,
                    os.path.join(HERE, "hostile", "worker.c"), *sources], check=True)
    os.chmod(path, 0o755)
    parts = subprocess.run([path, "list"], capture_output=True, text=True, check=True).stdout.split()
    return path, parts


class Hostile:
    """A part to be played, by the worker number `since` and all after it.

    `network` is the id that tells the worker so, `under` the proxy's prefix.
    """

    def __init__(self, part, argument=0, since=1):
        path, parts = compiled()
        self.network = "d9f7c1a0-1b2c-4d3e-8f90-012345%02x%02x%02x" % (since, argument, parts.index(part))
        self.under = instead_of(WORKER, path)
