"""The drop-in as the holder of a lease, against a daemon that the tests make up."""
import array
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time

import pytest

import leftovers
import proc
from harness import NETWORK, PREFIX, SANITIZED, Agent, Client, Tenant, connect, wait_for
from host import Host, ctl
from room import Room
from test_policy_use import calls, loads_a_filter, matches, policy

PROGRAM = os.path.join(PREFIX, "libexec", "metaward", "haproxy")
HOLDER = os.path.join(PREFIX, "libexec", "metaward", "lease", "haproxy")
LEASE = 9
OK, ERROR = 1, 2
REFUSED = 4
REPLY_SIZE = 824
REQUEST_SIZE = 552

CONFIGURATION = """
global
    log /dev/log local0 debug
    user nobody
    group nogroup
    maxconn 1024
    pidfile {pid_file}
    daemon

defaults
    log global
    mode http
    timeout server 32s

listen listener
    bind {address}:{port}
    server metadata {socket}
    http-request del-header X-Neutron-Router-ID
    http-request set-header X-Neutron-Network-ID {network}
"""


def reply(kind, code=0, text=b""):
    return (struct.pack("=HHHH", 1, kind, code, 0) + text).ljust(REPLY_SIZE, b"\0")


class Daemon:
    """Answers every request with the next of `answers`, the last one for ever."""

    def __init__(self, room, *answers):
        self.path, self.answers = room.path("control"), list(answers or [reply(OK)])
        self.requests, self.connections, self.ended = [], [], threading.Event()

    def __enter__(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.accepting = threading.Thread(target=self.accept)
        self.accepting.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError):
            while True:
                request, beside, flags, _ = connection.recvmsg(4096, 256)
                if not request:
                    self.ended.set()
                    return
                descriptors = array.array("i")
                for _, _, data in beside:
                    descriptors.frombytes(data)
                names = [os.readlink("/proc/self/fd/%d" % fd) for fd in descriptors]
                for fd in descriptors:
                    os.close(fd)
                self.requests.append((request, names, flags))
                connection.send(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@pytest.fixture
def room():
    with Room() as made:
        yield made


@pytest.fixture(autouse=True)
def networks_end():
    yield
    for network in list(Network.made):
        network.end()


class Network:
    made = []

    def __init__(self, socket_path="/run/absent/socket", port=None):
        self.directory = leftovers.folder("lease")
        self.made.append(self)
        self.pid_file = os.path.join(self.directory, "pid")
        self.path = os.path.join(self.directory, NETWORK + ".conf")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = port or probe.getsockname()[1]
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(CONFIGURATION.format(pid_file=self.pid_file, address="127.0.0.1", port=self.port, network=NETWORK,
                                         socket=socket_path))

    def start(self, room, *options, under=()):
        with open(os.path.join(self.directory, "said"), "w+", encoding="utf-8") as said:
            done = subprocess.run(room.enter(*under, PROGRAM, "-f", self.path, *options), stdin=subprocess.DEVNULL,
                                  stdout=said, stderr=said, timeout=20, check=False)
            said.seek(0)
            return done.returncode, said.read()

    def pid(self):
        with open(self.pid_file, encoding="utf-8") as f:
            return int(f.read())

    def end(self):
        """End whoever still serves the network, and remove its files."""
        for pid, command in leftovers.processes().items():
            if self.path in command:
                os.kill(pid, signal.SIGKILL)
                wait_for("the end", lambda p=pid: not alive(p))
        shutil.rmtree(self.directory)
        self.made.remove(self)


@contextlib.contextmanager
def held(room):
    network = Network()
    status, said = network.start(room)
    assert status == 0, said
    pid = network.pid()
    try:
        yield network, pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def alive(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return proc.status(pid)["State"][0] not in "ZX"
    return False


def test_it_asks_with_its_namespace_and_addresses(room):
    with Daemon(room) as daemon, held(room) as (network, _):
        request, names, flags = daemon.requests[0]
        assert len(request) == REQUEST_SIZE and struct.unpack_from("=HH", request) == (1, LEASE)
        assert NETWORK.encode() in request
        assert struct.pack("=H", network.port) in request
        assert names == [os.readlink("/proc/self/ns/net")]
        assert flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC) == 0


def test_the_holder_is_found_as_agents_look_for_it(room):
    with Daemon(room), held(room) as (network, pid):
        assert os.readlink("/proc/%d/exe" % pid).endswith(HOLDER)
        assert proc.read(pid, "cmdline").split("\0")[:-1] == [PROGRAM, "-f", network.path]
        assert proc.namespaces(pid)["net"] == os.readlink("/proc/self/ns/net")
        mode = os.stat(network.pid_file).st_mode & 0o777
        assert mode == 0o644


def test_it_has_no_power_and_few_descriptors(room):
    with Daemon(room), held(room) as (_, pid):
        assert set(proc.capabilities(pid).values()) == {0}
        status = proc.status(pid)
        assert status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"]
        if not SANITIZED:
            wait_for("the way to its starter to be closed", lambda: sorted(proc.descriptors(pid)) == [0, 1, 2, 3, 4, 7])
            found = proc.descriptors(pid)
            assert [found[fd] for fd in range(3)] == ["/dev/null"] * 3


@pytest.mark.measured
def test_it_is_small(room):
    with Daemon(room), held(room) as (_, pid):
        total = sum(int(line.split()[1]) for line in proc.read(pid, "smaps").splitlines() if line.startswith("Anonymous:"))
        assert total <= 120, "%d kB" % total


def test_its_end_is_the_end_of_the_connection(room):
    with Daemon(room) as daemon, held(room) as (_, pid):
        os.kill(pid, signal.SIGKILL)
        assert daemon.ended.wait(5)


def test_told_to_end_it_removes_its_pid_file(room):
    with Daemon(room) as daemon, held(room) as (network, pid):
        os.kill(pid, signal.SIGTERM)
        wait_for("the end", lambda: not alive(pid))
        assert not os.path.exists(network.pid_file)
        assert daemon.ended.wait(5)


def test_it_removes_a_pid_file_in_the_agents_directory(room):
    network = Network()
    os.chown(network.directory, 65534, 65534)
    with Daemon(room):
        status, said = network.start(room)
        assert status == 0, said
        pid = network.pid()
        os.kill(pid, signal.SIGTERM)
        wait_for("the end", lambda: not alive(pid))
    assert not os.path.exists(network.pid_file)


def test_it_asks_the_next_daemon(room):
    with contextlib.ExitStack() as stack:
        with Daemon(room):
            _, pid = stack.enter_context(held(room))
        with Daemon(room) as second:
            wait_for("the second request", lambda: second.requests)
            assert NETWORK.encode() in second.requests[0][0]
            assert alive(pid)
        with Daemon(room) as third:
            wait_for("the third request", lambda: third.requests)


def test_it_stays_where_the_next_daemon_refuses(room):
    with contextlib.ExitStack() as stack:
        with Daemon(room):
            _, pid = stack.enter_context(held(room))
        with Daemon(room, reply(ERROR, REFUSED, b"no")) as second:
            wait_for("the refusal", second.ended.is_set)
            assert alive(pid)


@pytest.mark.parametrize("noise", [b"x", bytes(REPLY_SIZE), reply(OK)[:-1], reply(77), b"\xff" * REPLY_SIZE, reply(OK)],
                         ids=["a-byte", "zeros", "short", "unknown", "ones", "a-second-grant"])
def test_what_was_not_asked_for_ends_only_the_connection(room, noise):
    with contextlib.ExitStack() as stack:
        with Daemon(room) as daemon:
            _, pid = stack.enter_context(held(room))
            daemon.connections[0].send(noise)
            wait_for("another connection", lambda: len(daemon.requests) == 2)
            assert alive(pid)


def test_a_refusal_fails_the_start_with_its_reason(room):
    network = Network()
    with Daemon(room, reply(ERROR, REFUSED, b"another network has the address")):
        status, said = network.start(room)
    assert status == 1
    assert "another network has the address" in said
    assert not os.path.exists(network.pid_file)


def cover(room, over):
    """In the room, another file stands where the holder's executable was."""
    subprocess.run(room.enter("mount", "--bind", over, HOLDER), check=True)


@pytest.mark.parametrize("ground", ["-D", "-db"])
@pytest.mark.parametrize("over,what", [("/dev/null", "cannot open the worker's executable"),
                                       ("/etc/passwd", "cannot execute the worker")])
def test_a_holder_that_cannot_be_executed_fails_the_start_and_leaves_nothing(room, over, what, ground):
    network = Network()
    with Daemon(room) as daemon:
        cover(room, over)
        status, said = network.start(room, ground)
        assert status == 1 and what in said and HOLDER in said, said
        assert daemon.ended.wait(5)
    assert not os.path.exists(network.pid_file)


def test_a_pid_file_that_cannot_be_written_fails_the_start(room):
    network = Network()
    os.chmod(network.directory, 0o777)
    with Daemon(room) as daemon:
        status, said = network.start(room)
        assert status == 1 and network.pid_file in said, said
        assert daemon.ended.wait(5)
    assert not os.path.exists(network.pid_file)


def test_a_daemon_that_hangs_up_at_once_is_not_asked_without_a_pause(room):
    with contextlib.ExitStack() as stack:
        with Daemon(room):
            _, pid = stack.enter_context(held(room))
        with Daemon(room, b"x") as second:  # no reply at all, and so the holder hangs up
            wait_for("a few tries", lambda: len(second.requests) >= 4)
            begun = time.monotonic()
            wait_for("two more", lambda: len(second.requests) >= 6)
            assert time.monotonic() - begun > 0.1
            assert alive(pid)


def test_one_that_takes_over_asks_until_the_old_lease_is_gone(room):
    network = Network()
    with Daemon(room, reply(ERROR, REFUSED, b"taken"), reply(ERROR, REFUSED, b"taken"), reply(OK)) as daemon:
        status, said = network.start(room, "-sf", "999999")
        assert status == 0, said
        assert len(daemon.requests) == 3
        os.kill(network.pid(), signal.SIGKILL)


def test_in_the_foreground_it_stays_the_process_that_was_started(room):
    network = Network()
    with Daemon(room) as daemon:
        with open(os.path.join(network.directory, "said"), "w", encoding="utf-8") as said:
            started = subprocess.Popen(room.enter(PROGRAM, "-db", "-f", network.path), stdin=subprocess.DEVNULL, stdout=said,
                                       stderr=said)
        wait_for("the request", lambda: daemon.requests)
        wait_for("the pid file", lambda: os.path.exists(network.pid_file))
        wait_for("the holder", lambda: os.readlink("/proc/%d/exe" % started.pid).endswith(HOLDER) and
                 proc.status(started.pid)["Seccomp"] == ["2"])
        assert network.pid() == started.pid
        started.terminate()
        assert started.wait(5) == 0


def test_a_daemon_of_another_user_is_none(room):
    """Whoever can put a socket there without being root must not be handed a namespace."""
    path = room.path("control")
    script = ("import os,socket,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); s.bind('/run/metaward/control'); "
              "os.chmod('/run/metaward/control', 0o777); os.setresuid(65534,65534,65534); s.listen(4); "
              "print('up', flush=True); c,_=s.accept(); print(len(c.recv(4096)), flush=True); time.sleep(60)")
    other = subprocess.Popen(room.enter("/usr/bin/python3", "-c", script), stdout=subprocess.PIPE, text=True)
    with Agent() as agent:
        network = Network(agent.path)
        try:
            assert other.stdout.readline() == "up\n"
            status, said = network.start(room)
            assert status == 0 and "event=daemon-ignored" in said, said
            assert other.stdout.readline() == "0\n"
            with Client(connect("127.0.0.1", network.port)) as client:
                assert client.get().status == 200
            os.kill(network.pid(), signal.SIGTERM)
        finally:
            other.kill()
            other.wait()
            other.stdout.close()
    assert os.path.exists(path)


def test_without_a_daemon_it_serves_by_itself(room):
    with Agent() as agent:
        network = Network(agent.path)
        status, said = network.start(room)
        assert status == 0, said
        pid = network.pid()
        assert os.readlink("/proc/%d/exe" % pid).endswith(PROGRAM)
        with Client(connect("127.0.0.1", network.port)) as client:
            assert client.get().status == 200
        os.kill(pid, signal.SIGTERM)
        wait_for("the end", lambda: not alive(pid))


@pytest.mark.measured
def test_it_starts_at_once(room):
    with Daemon(room):
        network = Network()
        begun = time.monotonic()
        status, said = network.start(room)
        assert status == 0, said
        assert time.monotonic() - begun < 0.5
        os.kill(network.pid(), signal.SIGKILL)


def traced_life(room, directory, spoil):
    """A holder from its filter on, through another daemon, to its end: the calls that it made."""
    network = Network()
    strace = (shutil.which("strace"), "--daemonize", "-ff", "-qq", "-e", "raw=all", "-e", "signal=none", "-o", directory + "/t")
    with Daemon(room):
        status, said = network.start(room, under=strace)
        assert status == 0, said
        wait_for("the pid file", lambda: os.path.exists(network.pid_file) and os.path.getsize(network.pid_file))
        pid = network.pid()
        wait_for("the holder", lambda: os.readlink("/proc/%d/exe" % pid).endswith(HOLDER))
    with Daemon(room) as second:
        wait_for("the second request", lambda: second.requests)
        spoil(network)
        os.kill(pid, signal.SIGTERM)
        wait_for("the end", lambda: not alive(pid))
    trace = "%s/t.%d" % (directory, pid)
    wait_for("the trace's end", lambda: "exit_group" in open(trace, encoding="utf-8").read())
    made = list(calls(trace))
    return network, made[max(i for i, call in enumerate(made) if loads_a_filter(call)) + 1:]


@pytest.mark.plain
def test_every_call_is_in_its_table_and_every_line_is_used(room, tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    network, used = traced_life(room, str(first), lambda _: None)
    assert not os.path.exists(network.pid_file)
    network, more = traced_life(room, str(second), lambda network: os.chown(network.directory, 1, 1))
    assert os.path.getsize(network.pid_file) == 0  # not its directory any more: the file can't be removed
    used += more
    table = policy()["lease"]
    strangers = [call for call in used if not any(matches(line, call) for line in table)]
    assert not strangers
    idle = [line["call"] for line in table if not line["unused"] and not any(matches(line, call) for call in used)]
    assert not idle


class Whole:
    """The real daemon and the real drop-in: one network of a tenant, handed over."""

    def __init__(self, tenant, agent, room):
        self.tenant, self.agent, self.room = tenant, agent, room
        self.network = Network(agent.path)
        with open(self.network.path, encoding="utf-8") as f:
            text = f.read()
        with open(self.network.path, "w", encoding="utf-8") as f:
            f.write(text.replace("bind 127.0.0.1:%d" % self.network.port, "bind 169.254.169.254:80"))

    def daemon(self):
        return Host(self.agent, under=self.room.enter(), control_socket="/run/metaward/control")

    def start(self, *options):
        return self.network.start(self.room, *options, under=("ip", "netns", "exec", self.tenant.proxy.name))

    def control(self, *words):
        return json.loads(ctl(self.room.path("control"), *words, "--json"))

    def answers(self):
        with contextlib.suppress(OSError), self.tenant.client() as client:
            return json.loads(client.get().body)["headers"]
        return None

    def gone(self):
        try:
            with self.tenant.client():
                return False
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # taken, and then not served: the next one will see
            return False


@pytest.fixture
def whole():
    with Tenant() as tenant, Agent() as agent, Room() as made:  # the room shows the namespaces that were there first
        yield Whole(tenant, agent, made)


def test_guests_are_served_as_long_as_the_lease_is_held(whole):
    with whole.daemon():
        status, said = whole.start()
        assert status == 0, said
        assert ["X-Neutron-Network-ID", NETWORK] in whole.answers()
        assert ["X-Forwarded-For", Tenant.GUEST] in whole.answers()
        os.kill(whole.network.pid(), signal.SIGKILL)
        wait_for("the listener's end", whole.gone)


@pytest.mark.measured
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_network_is_closed_within_10_ms_of_its_holders_end(whole, number):
    """The median of a few, for each takes part in what else the machine does."""
    took = []
    with whole.daemon():
        for _ in range(9):
            status, said = whole.start()
            assert status == 0, said
            assert whole.answers()
            pid = whole.network.pid()
            handle = os.pidfd_open(pid)
            os.kill(pid, number)
            select.select([handle], [], [])
            begun = time.monotonic()
            while not whole.gone():
                assert time.monotonic() - begun < 5
            took.append(1000 * (time.monotonic() - begun))
            os.close(handle)
    print("ms:", *("%.1f" % one for one in sorted(took)))
    assert statistics.median(took) <= 10


def test_a_second_one_on_the_same_address_fails_as_ever(whole):
    other = Whole(whole.tenant, whole.agent, whole.room)
    with open(other.network.path, encoding="utf-8") as f:
        text = f.read()
    with open(other.network.path, "w", encoding="utf-8") as f:
        f.write(text.replace(NETWORK, "00000000-1111-2222-3333-444444444444"))
    with whole.daemon():
        assert whole.start()[0] == 0
        status, said = other.start()
        assert status == 1 and said.count("\n") == 1, said
        assert ["X-Neutron-Network-ID", NETWORK] in whole.answers()
        os.kill(whole.network.pid(), signal.SIGTERM)


def test_the_next_daemon_serves_the_lease_by_itself(whole):
    with whole.daemon() as daemon:
        assert whole.start()[0] == 0
        assert whole.answers()
        daemon.process.kill()
        daemon.process.wait()
        wait_for("the listener's end", whole.gone)
        with whole.daemon():
            wait_for("an answer", whole.answers)
            assert ["X-Neutron-Network-ID", NETWORK] in whole.answers()
            os.kill(whole.network.pid(), signal.SIGTERM)
            wait_for("the listener's end", whole.gone)
