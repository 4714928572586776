"""The launcher: what it does for a daemon, what is left of it afterwards, and what it does for nobody.

The daemon with a real launcher, both with root's whole power here (test_systemd.py has them under their units), and a
launcher whose daemon is this test (Peer).
"""
import contextlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys

import pytest

import leftovers
import proc
from harness import OTHER, Agent, Tenant, start_failing, wait_for
from host import LAUNCHER, LaunchedHost, ctl
from service import Launchers
from test_policy_use import calls, loads_a_filter, matches, policy

NOBODY, NO_PEER, DIED, NURSERY_DIED = 65534, 50, 51, 39
READER, READER_END, NURSERY, LOOK, GIVE, SETTLE, NURSERY_END = range(1, 8)
REQUEST, REPLY = struct.Struct("<HHIIIIi108s80s"), struct.Struct("<HHIiiiiI80s")
NONE = dict.fromkeys(proc.CAPABILITY_SETS, 0)


@pytest.fixture(scope="module")
def tenant():
    with Tenant() as made:
        yield made


@pytest.fixture(scope="module")
def agent():
    with Agent() as made:
        yield made


@pytest.fixture
def folder():
    """Everybody may make a socket in it."""
    made = leftovers.folder("launcher")
    os.chmod(made, 0o777)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def lonely(agent, folder):
    """A daemon that is to have a launcher, and has none yet."""
    host = LaunchedHost(agent)
    host.socket = os.path.join(folder, "launcher")
    yield host
    shutil.rmtree(host.folder)


class Peer:
    """A daemon's end of the connection to a launcher of its own."""

    def __init__(self, *under):
        self.sent, self.channel = 0, None
        self.socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(20)
        with other:
            self.process = subprocess.Popen([*under, LAUNCHER], stdin=other, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        if self.channel:
            self.channel.close()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stderr.close()

    @property
    def pid(self):
        return self.process.pid

    @property
    def children(self):
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid), encoding="utf-8") as f:
            return [int(x) for x in f.read().split()]

    def request(self, kind, uid=0, gid=0, descriptors=0, pid=0, backend=b"", name=b"", version=1, sequence=None):
        return REQUEST.pack(version, kind, self.sent + 1 if sequence is None else sequence, uid, gid, descriptors, pid, backend, name)

    def nursery(self, agent, **other):
        fields = {"uid": NOBODY, "gid": NOBODY, "descriptors": 1000, "backend": agent.path.encode(), "name": b"metaward", **other}
        return self.request(NURSERY, **fields)

    def ask(self, request, *fds):
        """(step, error, pid, status, filters, why), and the descriptor that came back as a socket."""
        socket.send_fds(self.socket, [request], fds)
        self.sent += 1
        data, given, _, _ = socket.recv_fds(self.socket, 1000, 4)
        _, kind, sequence, *values, why = REPLY.unpack(data)
        assert kind == REQUEST.unpack(request)[1] and sequence == self.sent and len(given) <= 1
        return (*values, why.rstrip(b"\0").decode()), socket.socket(fileno=given[0]) if given else None

    def is_refused(self, request, *fds):
        """It ends without a word over the connection, and with it all that it has started."""
        socket.send_fds(self.socket, [request], fds)
        with contextlib.suppress(ConnectionResetError):
            assert self.socket.recv(1000) == b""
        return self.process.wait(20) == 0 and "why=\"a request that is not valid\"" in self.process.stderr.read()


def is_confined(pid, user):
    status = proc.status(pid)
    return (status["Uid"] == status["Gid"] == [str(user)] * 4 and status["Groups"] == [] and proc.capabilities(pid) == NONE
            and status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"])


def is_gone(pid):
    try:
        return proc.status(pid)["State"][0] == "Z"
    except FileNotFoundError:
        return True


def test_a_daemon_with_a_launcher_serves_reads_again_and_replaces_workers(tenant, agent):
    with LaunchedHost(agent, {"one": (OTHER, tenant.proxy)}, control_group="nogroup") as host:
        assert [proc.read(pid, "comm") for pid in host.children()] == ["metaward-heir\n"]  # all others are the launcher's
        assert host.children(host.launcher) == [host.nursery]
        with tenant.client() as guest:
            assert guest.get().status == 200
        os.kill(host.workers[0], signal.SIGKILL)
        wait_for("another worker", lambda: host.event("serving", 3))
        os.kill(host.pid, signal.SIGHUP)
        wait_for("the files to be read again", lambda: host.event("loaded", 2))
        assert ctl(host, "list").count(OTHER) == 1
        with tenant.client() as guest:
            assert guest.get().status == 200
        for pid in (host.nursery, *host.workers):
            assert is_confined(pid, NOBODY)


def test_what_is_left_of_it_has_no_power(agent):
    with LaunchedHost(agent) as host:
        assert is_confined(host.launcher, NOBODY)
        assert int(proc.status(host.launcher)["Seccomp_filters"][0]) == int(proc.status("self")["Seccomp_filters"][0]) + 1
        # Its log, and the connection: neither the nursery's channel nor an executable.
        assert sorted(proc.descriptors(host.launcher)) == [0, 1, 2, 3]
        assert proc.capabilities(host.pid)["CapEff"] == 1 << 21 | 1 << 10  # CAP_SYS_ADMIN, CAP_NET_BIND_SERVICE


@pytest.mark.parametrize("victim, daemon, launcher", [("launcher", DIED, -signal.SIGKILL), ("nursery", NURSERY_DIED, 0), ("pid", -signal.SIGKILL, 0)])
def test_no_end_leaves_anything_behind(agent, victim, daemon, launcher):
    with contextlib.ExitStack() as stack:
        host = LaunchedHost(agent).start()
        stack.callback(lambda: host.process.poll() is None and host.stop())
        others = [host.nursery, *host.workers]
        os.kill(getattr(host, victim), signal.SIGKILL)
        assert host.process.wait(20) == daemon
        assert host.stop(0, expected=launcher) == daemon
        wait_for("the others' end", lambda: all(map(is_gone, others)))


def test_the_end_of_its_service_ends_the_daemon(agent):
    host = LaunchedHost(agent).start()
    os.kill(host.launcher, signal.SIGTERM)
    assert host.process.wait(20) == DIED
    assert host.stop(0) == DIED


@pytest.mark.parametrize("there", ["nothing", "nobody listens", "somebody else"])
def test_without_a_launcher_nothing_is_started(lonely, there):
    path = lonely.socket
    command = ("import os, socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); new = sys.argv[1] + '.new'; s.bind(new);"
               "s.listen(); os.rename(new, sys.argv[1]); sys.stdin.read()")
    other = None
    if there == "nobody listens":
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(path)
    if there == "somebody else":
        other = subprocess.Popen([sys.executable, "-c", command, path], stdin=subprocess.PIPE, user=NOBODY, cwd="/")
        wait_for("a socket", lambda: os.path.exists(path))
    status, line = start_failing("--config", lonely.file, "--launcher", path)
    if other:
        other.communicate()
    error = {"nothing": "ENOENT", "nobody listens": "ECONNREFUSED", "somebody else": "EPERM"}[there]
    assert status == NO_PEER and path + ": " + error in line
    assert not os.path.exists(lonely.control)


def test_a_launcher_that_ends_at_once_is_told(lonely):
    launchers = Launchers(lonely.socket, "false")
    status, line = start_failing("--config", lonely.file, "--launcher", lonely.socket)
    assert launchers.stop() == [1]
    assert status == NO_PEER and "EPIPE" in line


def test_the_command_line():
    for words, wrong in ((["--launcher", "/run/launcher"], "needs --config"), (["--config", "/x", "--launcher", "x"], "not the absolute path"),
                         (["--config", "/x", "--launcher", "/" + 107 * "x"], "not the absolute path"),
                         (["--config", "/x", "--launcher", "/x", "--launcher", "/x"], "given twice")):
        status, line = start_failing(*words)
        assert status == 2 and wrong in line


def test_it_has_power_for_root_alone(folder):
    """Whatever the socket's mode: the kernel says who is there."""
    path = os.path.join(folder, "launcher")
    launchers = Launchers(path, LAUNCHER)
    os.chmod(path, 0o666)
    command = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); sys.exit(len(s.recv(9)))"
    assert subprocess.run([sys.executable, "-c", command, path], user=NOBODY, cwd="/", check=False).returncode == 0
    assert launchers.stop() == [NO_PEER] and "EPERM" in launchers.lines[-1]


def test_what_it_starts_is_confined(agent):
    with Peer() as peer:
        (step, _, pid, *_), channel = peer.ask(peer.request(READER))
        assert step == 0 and peer.children == [pid]
        wait_for("the reader's filter", lambda: is_confined(pid, NOBODY))
        channel.close()
        (step, _, _, status, *_), none = peer.ask(peer.request(READER_END))
        assert step == 0 and none is None and status in (0, signal.SIGKILL) and peer.children == []
        (step, _, pid, _, filters, _), channel = peer.ask(peer.nursery(agent, uid=4711, gid=4712))
        assert step == 0 and peer.children == [pid] and filters == int(proc.status("self")["Seccomp_filters"][0])
        with channel:
            channel.settimeout(20)
            channel.recv(10000)  # it is ready
            status = proc.status(pid)
            assert (status["Uid"], status["Gid"]) == (["4711"] * 4, ["4712"] * 4)
            assert proc.capabilities(pid) == NONE and status["Seccomp"] == ["2"]
            ours = proc.namespaces("self")
            assert all(name != ours[kind] for kind, name in proc.namespaces(pid).items())
            (step, *_, why), _ = peer.ask(peer.request(LOOK, pid=os.getpid()))
            assert step == 0 and why == "the PID namespace is ours"
            assert peer.ask(peer.request(SETTLE))[0][0] == 0
    wait_for("the nursery's end", lambda: is_gone(pid))


def test_it_gives_sockets_of_its_own_to_a_group_and_nothing_else(agent, tmp_path):
    with Peer() as peer, socket.socket(socket.AF_UNIX) as made, open(tmp_path / "file", "w", encoding="utf-8"):
        made.bind(str(tmp_path / "socket"))
        os.link(tmp_path / "socket", tmp_path / "second")
        for name, step in (("file", 47), ("socket", 47), ("second", 47)):
            fd = os.open(tmp_path / name, os.O_PATH)
            (found, error, *_), _ = peer.ask(peer.request(GIVE, gid=4711), fd)
            assert (found, error) == (step, 1)
            os.close(fd)
        os.unlink(tmp_path / "second")
        fd = os.open(tmp_path / "socket", os.O_PATH)
        assert peer.ask(peer.request(GIVE, gid=4711), fd)[0][0] == 0
        os.close(fd)
        assert (os.stat(tmp_path / "socket").st_uid, os.stat(tmp_path / "socket").st_gid) == (0, 4711)
        assert os.stat(tmp_path / "file").st_gid == 0


BAD = {"root": {"uid": 0}, "root's group": {"gid": 0}, "no user": {"uid": 0xFFFFFFFF}, "no group": {"gid": 0xFFFFFFFF},
       "few descriptors": {"descriptors": 0}, "many descriptors": {"descriptors": 1 << 20}, "no agent": {"backend": b""},
       "a relative path": {"backend": b"run/agent"}, "a way up": {"backend": b"/run/../etc/x"}, "an endless path": {"backend": 108 * b"/"},
       "no name": {"name": b""}, "an endless name": {"name": 80 * b"x"}, "a name of two lines": {"name": b"x\ny"},
       "a pid": {"pid": 1}, "another version": {"version": 2}, "out of sequence": {"sequence": 2}}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_no_other_nursery_is_started(agent, fields):
    with Peer() as peer:
        assert peer.is_refused(peer.nursery(agent, **fields))


def test_no_request_comes_when_it_may_not(agent):
    def nursed(peer):
        peer.channel = peer.ask(peer.nursery(agent))[1]  # until then the nursery is there

    def settled(peer):
        nursed(peer)
        peer.ask(peer.request(SETTLE))

    def reading(peer):
        peer.ask(peer.request(READER))[1].close()

    def fresh(_peer):
        pass

    for before, kinds in ((fresh, (0, READER_END, LOOK, SETTLE, NURSERY_END, 99)), (reading, (READER, NURSERY, LOOK, GIVE, SETTLE)),
                          (nursed, (READER_END, NURSERY)), (settled, (READER, NURSERY, LOOK, GIVE, SETTLE))):
        for kind in kinds:
            with Peer() as peer:
                before(peer)
                started = peer.children
                request = {NURSERY: lambda peer=peer: peer.nursery(agent), LOOK: lambda peer=peer: peer.request(LOOK, pid=1),
                           GIVE: lambda peer=peer: peer.request(GIVE, gid=1)}.get(kind, lambda peer=peer, kind=kind: peer.request(kind))()
                fds = [0] if kind == GIVE else []
                assert peer.is_refused(request, *fds), (before.__name__, kind)
                wait_for("the end of what it started", lambda started=started: all(map(is_gone, started)))


def test_hostile_bytes_start_nothing(agent):
    numbers = random.Random(1)
    for turn in range(60):
        with Peer() as peer:
            good = peer.nursery(agent) if turn % 2 else peer.request(READER)
            kind = turn % 5
            if kind == 0:
                good = numbers.randbytes(numbers.randrange(1, 1000))
            elif kind == 1:
                good = good[:numbers.randrange(1, len(good))]
            elif kind == 2:
                good += numbers.randbytes(numbers.randrange(1, 100))
            elif kind == 3:  # a byte that must be zero
                good = good[:-1] + b"x"
            fds = [0] * numbers.randrange(1, 200) if kind == 4 else []
            assert peer.is_refused(good, *fds), turn


@pytest.mark.plain
def test_every_line_of_its_table_is_used_and_nothing_else_is(agent, tmp_path):
    used = []
    for end in ("nursery", "nonsense", "connection"):
        trace = str(tmp_path / end)
        with Peer("strace", "-qq", "-e", "raw=all", "-e", "signal=none", "-o", trace) as peer:
            (*_, nursery, _, _, _), channel = peer.ask(peer.nursery(agent))
            with channel:
                assert peer.ask(peer.request(SETTLE))[0][0] == 0
                if end == "nursery":
                    os.kill(nursery, signal.SIGKILL)
                    assert REPLY.unpack(peer.socket.recv(1000))[1] == NURSERY_END
                elif end == "nonsense":
                    peer.socket.send(b"x")
                if end != "connection":
                    peer.process.wait(20)
        made = list(calls(trace))
        used += made[[i for i, call in enumerate(made) if loads_a_filter(call)][0] + 1:]
    lines = policy()["launcher"]
    assert {call[0] for call in used if not any(matches(line, call) for line in lines)} == set()
    assert [line["call"] for line in lines if not line["unused"] and not any(matches(line, call) for call in used)] == []
