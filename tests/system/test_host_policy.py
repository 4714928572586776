"""Nothing missing and nothing spare in the host daemon's tables: what it asks of the kernel in a whole life.

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
        return self.children(self.parent)[-1]

    def inside(self, *command):
        """Run something where its /run is."""
        subprocess.run(["nsenter", "-t", str(self.parent), "-m", "-r", *command], check=True)

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
        os.kill(host.parent, signal.SIGHUP)
        wait_for("the files to be read again", lambda: host.told("loaded") > 1)
        waited = host.told("network-waiting")
        host.inside("ip", "netns", "del", name)
        wait_for("the network to wait", lambda: host.told("network-waiting") > waited)
        assert host.stop() == 0


def sort_calls(directory, used):
    """Add the calls that were made under each table."""
    for name in os.listdir(directory):
        made = list(calls(os.path.join(directory, name)))
        names = {call[0] for call in made}
        loads = [i for i, call in enumerate(made) if loads_a_filter(call)]
        if not loads or "capset" in names and not {"pivot_root", "setns"} & names:
            continue  # sh, unshare; or a reader at the start, who is the parent's child
        if "setns" in names:
            used["host"] += made[loads[0] + 1:]
        else:  # what the nursery starts inherits its filter
            used["nursery_host"] += made[loads[0] + 1:] if "pivot_root" in names else made


def test_every_line_is_used_and_nothing_else_is(tmp_path):
    used = {"host": [], "nursery_host": []}
    (tmp_path / "dev").mkdir(mode=0o755)
    with Agent() as agent, DevLog(tmp_path / "dev") as devlog:
        for log in ("stderr", "syslog"):
            directory = tmp_path / log
            directory.mkdir(mode=0o755)
            if log == "stderr":
                life(str(directory), agent, log, lambda host: list(host.lines))
            else:
                life(str(directory), agent, log, lambda host: host.lines + [line.decode("latin-1") for line in devlog.lines], devlog)
            sort_calls(str(directory), used)
    tables = policy()
    for role, made in used.items():
        strangers = {call[0] for call in made if not any(matches(line, call) for line in tables[role])}
        assert strangers == set(), "%s: used, and not in the table" % role
        # What the nursery has in common with a single network's is looked at in test_policy_use.py.
        own = [line for line in tables[role] if role == "host" or line not in tables["nursery"]]
        idle = [line["call"] + str([pin["text"] for pin in line["pins"]]) for line in own
                if not line["unused"] and not any(matches(line, call) for call in made)]
        assert own and not idle, "%s: in the table, and used by nothing: %s" % (role, ", ".join(idle))
