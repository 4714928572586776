"""The real nursery and worker with many networks, driven by a parent that a test tells what to send (many/parent.c)."""
import functools
import os
import re
import subprocess
import threading

import leftovers
from harness import PATIENCE, SANITIZED, WORKER, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
SOURCES = ["ipc/%s.c" % name for name in "address channel counters instance listen message network packet reason settings steps text".split()] + \
          ["policy/%s.c" % name for name in "confine lockdown landlock netns".split()]
NEUTRON_NETWORK, NEUTRON_ROUTER, OVN_NETWORK, OVN_ROUTER = range(1, 5)


@functools.lru_cache(maxsize=None)
def compiled():
    """The parent's executable. Made once, gone with the last test."""
    path = os.path.join(leftovers.folder("many", lasting=True), "parent")
    defines = ["-D_GNU_SOURCE"] + (["-DMETAWARD_SANITIZED=1"] if SANITIZED else [])
    subprocess.run(["gcc", "-std=gnu17", "-I", TOP, *defines, "-o", path, os.path.join(HERE, "many", "parent.c"),
                    *(os.path.join(TOP, s) for s in SOURCES), "-lcap-ng"], check=True)
    return path


def uuid_of(number):
    return "d9f7c1a0-1b2c-4d3e-8f90-%012x" % number


class Worker:
    """A worker of the real executable. Settings are named as in ipc/settings.h; log lines are in `lines`.

    It counts for as many networks as `counted` says.
    """

    def __init__(self, agent, counted=0, **settings):
        words = [str(word) for item in settings.items() for word in item]
        self.command = [compiled(), WORKER, agent.directory, str(counted), *words]
        self.lines, self.said = [], []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, errors="replace")
        self.readers = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=self.read_errors, daemon=True)]
        self.errors = []
        for reader in self.readers:
            reader.start()
        self.pid = int(self.wait_word("ready"))
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        for reader in self.readers:
            reader.join(PATIENCE)
        wait_for("the worker's end, and that of its sockets", lambda: not os.path.exists("/proc/%d" % self.pid))
        assert not self.errors, "\n".join(self.errors)

    def read(self):
        for line in self.process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "log":
                self.lines.append(rest)
            else:
                self.said.append((word, rest))

    def read_errors(self):
        self.errors.extend(line.rstrip("\n") for line in self.process.stderr)

    def wait_word(self, word):
        def find():
            alive = self.readers[0].is_alive()
            found = [rest or "-" for w, rest in list(self.said) if w == word]
            assert found or alive, "\n".join(self.errors)
            return found
        return wait_for(word, find)[0]

    def tell(self, *lines):
        """Send messages; returns when the kernel has them, which is before the worker has read them."""
        before = sum(1 for word, _ in self.said if word == "ok")
        self.process.stdin.write("".join(line + "\n" for line in lines))
        self.process.stdin.flush()
        wait_for("the parent to send", lambda: sum(1 for word, _ in list(self.said) if word == "ok") == before + len(lines))

    @staticmethod
    def network(number, identity=NEUTRON_NETWORK, uuid=None, tag="-", rate=(0, 0)):
        return "network %d %d %s %s %d %d" % (number, identity, uuid or uuid_of(number), tag, *rate)

    @staticmethod
    def listen(slot, number, address, namespace):
        return "listen %d %d %s %s" % (slot, number, address, namespace.path)

    def serve(self):
        self.tell("serve")
        self.wait_word("serving")

    def counters(self, number):
        """What is counted for a network: a dictionary of numbers, and its uuid."""
        before = sum(1 for word, _ in self.said if word == "count")
        self.tell("count %d" % number)
        words = [rest for word, rest in self.said if word == "count"][before].split()
        pairs = dict(word.split("=", 1) for word in words)
        return {name: value if name == "uuid" else int(value) for name, value in pairs.items()}

    def end(self):
        """Wait for the worker's end; its exit status, or the negative signal."""
        status = int(self.wait_word("exited"))
        return os.waitstatus_to_exitcode(status)

    def events(self, name):
        """Logged lines of an event: (the name in the line's head, its fields)."""
        found = []
        for line in list(self.lines):
            head = re.match(r"<\d+>\w{3} [ \d]\d [\d:]{8} (\S+): event=(\S+)", line)
            if head and head.group(2) == name:
                found.append((head.group(1), dict(re.findall(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)', line))))
        return found
