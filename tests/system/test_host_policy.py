"""Nothing missing and nothing spare in the host daemon's table: what its parent asks of the kernel in a whole life.

As test_policy_use.py asks it of a single network's processes. It lives in a /run of its own, where there is no
directory of namespaces when it starts.
"""
import os
import signal
import subprocess

import pytest

from devlog import DevLog
from harness import OTHER, Agent, unique, wait_for
from host import Host, ctl
from test_policy_use import calls, loads_a_filter, matches, policy

pytestmark = pytest.mark.plain  # a sanitized build has calls of its own

MEMBER = 54322  # of the control group
PRIVATE = ("unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh")


class TracedHost(Host):
    """A host daemon under strace, with a /run of its own."""

    def __init__(self, directory, seen, *arguments, under=(), **named):
        self.seen = seen
        strace = ("strace", "-ff", "-qq", "-e", "raw=all", "-e", "signal=none", "-o", os.path.join(directory, "t"))
        super().__init__(*arguments, under=(*strace, *under, *PRIVATE), **named)

    def told(self, event):
        """How often was it logged? Until it has started, to stderr."""
        return len([line for line in self.seen(self) if "event=%s " % event in line])

    def is_serving(self):
        return self.told("ready")

    @property
    def parent(self):
        return self.children(self.process.pid)[0]

    @property
    def nursery(self):
        return self.children(self.parent)[0]

    def inside(self, *command):
        """Run something where its /run is."""
        subprocess.run(["nsenter", "-t", str(self.parent), "-m", *command], check=True)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            os.kill(self.parent, number)
        return super().stop(0)


def add_namespace(host, name):
    host.inside("ip", "netns", "add", name)
    for words in ("link set lo up", "link add tap0 type veth peer name tap1", "link set tap1 up", "link set tap0 up", "addr add fe80::1/64 dev tap0 nodad",
                  "addr add 169.254.169.254/32 dev tap0"):
        host.inside("ip", "-n", name, *words.split())


def life(directory, agent, log, seen, devlog=None):
    name = unique("mw")
    networks = {"one": (OTHER, name, ["169.254.169.254:80%tap0", "[fe80::1]:80%tap0", "[::]:8080"])}
    under = devlog.under if devlog else ()
    few = "[limits]\nmax_networks = 16\n"  # a worker asks of each descriptor that it may have: a trace is long enough
    with TracedHost(directory, seen, agent, networks, log=log, config=few, under=under, workers=2, control_group=MEMBER) as host:
        wait_for("the network to wait", lambda: host.told("network-waiting"))
        add_namespace(host, name)
        wait_for("the network to be served", lambda: host.told("network-serving"))
        if devlog:
            devlog.stop()
            devlog.start()
        ctl(host, "stats", user=MEMBER, group=MEMBER)
        served = host.told("serving")
        os.kill(host.workers[0], signal.SIGKILL)
        wait_for("another worker", lambda: host.told("serving") > served)
        waited = host.told("network-waiting")
        host.inside("ip", "netns", "del", name)
        wait_for("the network to wait", lambda: host.told("network-waiting") > waited)
        assert host.stop() == 0


def calls_of_the_parent(directory):
    """What it called after its filter was loaded: it is the one that enters a namespace and comes back."""
    for name in os.listdir(directory):
        made = list(calls(os.path.join(directory, name)))
        if {"setns", "epoll_pwait"} <= {call[0] for call in made}:
            return made[next(i for i, call in enumerate(made) if loads_a_filter(call)) + 1:]
    raise AssertionError("no trace of the parent")


def test_every_line_is_used_and_nothing_else_is(tmp_path):
    used = []
    (tmp_path / "dev").mkdir(mode=0o755)
    with Agent() as agent, DevLog(tmp_path / "dev") as devlog:
        for log in ("stderr", "syslog"):
            directory = tmp_path / log
            directory.mkdir(mode=0o755)
            if log == "stderr":
                life(str(directory), agent, log, lambda host: list(host.lines))
            else:
                life(str(directory), agent, log, lambda host: host.lines + [line.decode("latin-1") for line in devlog.lines], devlog)
            used += calls_of_the_parent(str(directory))
    table = policy()["host"]
    strangers = {call[0] for call in used if not any(matches(line, call) for line in table)}
    assert strangers == set(), "used, and not in the table"
    idle = [line["call"] + str([pin["text"] for pin in line["pins"]]) for line in table
            if not line["unused"] and not any(matches(line, call) for call in used)]
    assert not idle, "in the table, and used by nothing: %s" % ", ".join(idle)
