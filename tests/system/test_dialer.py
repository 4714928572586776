"""An agent over TCP: reached by way of the dialer, by nobody else, and to the guests no other than one with a socket."""
import concurrent.futures
import contextlib
import json
import os
import pwd
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import proc
from harness import NETWORK, SANITIZED, Agent, Client, Namespace, Proxy, TcpAgent, Tenant, start_failing, together, wait_for
from proc import held_up
from test_restart import gone

NOBODY = pwd.getpwnam("nobody")
REPORT = {31} if SANITIZED else set()  # policy/descriptors.h: where the sanitizers write
ROLES = ("dialer", "nursery", "worker")


@pytest.fixture
def tcp_agent():
    with TcpAgent() as made:
        yield made


@pytest.fixture
def proxy(tenant, tcp_agent):
    with Proxy(tcp_agent, "--timeout-connect", "1s", netns=tenant.proxy) as started:
        yield started


def get(tenant, target="/", **named):
    with tenant.client() as guest:
        return guest.get(target, **named)


def reasons(proxy, count):
    """Those of the first requests, in the order of the log, which may be a moment behind the answers."""
    return wait_for("log lines", lambda: proxy.event("request", count)) and [e["reason"] for e in proxy.events("request")[:count]]


LOCALHOST = pytest.param("127.0.0.1", "localhost", marks=pytest.mark.skipif(
    not os.path.exists("/etc/hosts"), reason="a system without /etc/hosts knows no name"))


@pytest.mark.parametrize("address, name", [("127.0.0.1", None), ("::1", None), LOCALHOST])
def test_guests_are_answered(tenant, address, name):
    with TcpAgent(address=address, name=name) as agent, Proxy(agent, netns=tenant.proxy) as proxy:
        with tenant.client() as guest:
            for target in ("/a", "/b"):
                answer = guest.get(target)
                assert (answer.status, json.loads(answer.body)["target"]) == (200, target)
        assert len(agent.requests) == agent.connections == 2
        resolved = proxy.events("agent-resolved")
        assert [(e["host"], e["address"]) for e in resolved] == ([(name, "%s:%d" % (address, agent.port))] if name else [])


def test_the_agent_gets_the_same_bytes_as_over_a_socket(tenant):
    seen = []
    for agent in (Agent(), TcpAgent()):
        with agent, Proxy(agent, netns=tenant.proxy):
            get(tenant, "/x?y=z", headers="User-Agent: u\r\nX-Forwarded-For: 1.2.3.4\r\n")
            get(tenant, "/p", method="POST", headers="Content-Length: 3\r\n", body=b"abc")
            seen.append([request.raw for request in agent.requests])
    assert seen[0] == seen[1] and len(seen[0]) == 2


def test_every_request_is_told_to_the_agent_with_our_network(tenant, proxy, tcp_agent):
    assert get(tenant).status == 200
    assert tcp_agent.requests[0].header("X-Neutron-Network-ID") == NETWORK
    assert reasons(proxy, 1) == ["-"]


def test_an_absent_agent_is_told_once_and_found_again(tenant, proxy, tcp_agent):
    tcp_agent.stop()
    for _ in range(3):
        assert get(tenant).status == 503
    tcp_agent.start()
    assert get(tenant).status == 200
    assert reasons(proxy, 4) == ["agent-absent"] * 3 + ["-"]
    (absent,), (back,) = proxy.events("agent-absent"), proxy.events("agent-back")
    assert absent["error"] == "ECONNREFUSED" and absent["address"] == back["address"] == "127.0.0.1:%d" % tcp_agent.port


@pytest.fixture(scope="module")
def far():
    """A host, as which the proxy runs, and another one beside it."""
    with Tenant() as tenant:
        yield tenant


def run_on(namespace):
    return ["nsenter", "--net=/run/netns/" + namespace.name]


@pytest.mark.parametrize("address", ["10.0.0.5", "fd00::5"])
def test_an_agent_on_another_host(far, address):
    """There a connection takes a moment, and so does its failure."""
    for namespace, own in ((far.proxy, "fd00::1/64"), (far.guest, "fd00::5/64")):
        device = far.tap if namespace is far.proxy else "eth0"
        namespace.ip("addr", "replace", own, "dev", device, "nodad")
    with TcpAgent(address=address, inside=far.guest) as agent, \
            Proxy(agent, listen=["127.0.0.1:8080"], under=run_on(far.proxy)) as proxy:
        with Client(far.proxy.connect("127.0.0.1", 8080)) as guest:
            body = b"x" * 3000
            assert guest.get().status == 200
            assert guest.get(method="POST", headers="Content-Length: %d\r\n" % len(body), body=body).status == 200
            agent.stop()
            assert guest.get().status == 503
            agent.start()
            assert guest.get().status == 200
        assert reasons(proxy, 4) == ["-", "-", "agent-absent", "-"]
        assert proxy.event("agent-absent")["error"] == "ECONNREFUSED"


@pytest.mark.parametrize("route, event, error", [("unreachable", "agent-absent", "EHOSTUNREACH"),
                                                ("prohibit", "agent-forbidden", "EACCES"), (None, "agent-absent", "ENETUNREACH")])
def test_a_host_without_a_way_to_the_agent(far, route, event, error):
    with TcpAgent() as agent:
        agent.name = "192.0.2.7"
        if route:
            far.proxy.ip("route", "replace", route, "192.0.2.7")
        with Proxy(agent, listen=["127.0.0.1:8080"], under=run_on(far.proxy)) as proxy:
            with Client(far.proxy.connect("127.0.0.1", 8080)) as guest:
                assert guest.get().status == 503
            assert reasons(proxy, 1) == [event]
            assert proxy.event(event)["error"] == error
        if route:
            far.proxy.ip("route", "del", "192.0.2.7")


def test_an_agent_that_does_not_accept_in_time(tenant):
    """The backlog takes one connection; the next one's first packet is dropped, and its guest hears of it in time."""
    with TcpAgent(backlog=0, serial=True, answer=lambda _: [3.0]) as agent, \
            Proxy(agent, "--timeout-connect", "300ms", "--timeout-server", "1500ms", netns=tenant.proxy) as proxy:
        began = time.monotonic()
        statuses = sorted(answer.status for answer in together(lambda i: get(tenant, "/%d" % i), range(6)))
        assert statuses[0] == 503 and statuses[-1] == 504 and set(statuses) == {503, 504}
        assert time.monotonic() - began < 3
        assert set(reasons(proxy, 6)) == {"agent-busy", "agent-slow"}


def test_an_agent_that_is_slow_to_accept_answers_all_in_the_end(tenant):
    def slowly(_):
        return [0.02, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]

    with TcpAgent(backlog=1, serial=True, answer=slowly) as agent, Proxy(agent, netns=tenant.proxy):
        assert [answer.status for answer in together(lambda _: get(tenant), range(8))] == [200] * 8
        assert len(agent.requests) == agent.connections == 8


def test_a_hundred_requests_at_once(tenant, proxy, tcp_agent):
    sources = tenant.more_guests(20)

    def ask(i):
        with tenant.client(source=sources[i % len(sources)]) as guest:
            return guest.get("/%d" % i)

    answers = together(ask, range(100))
    assert [json.loads(answer.body)["target"] for answer in answers] == ["/%d" % i for i in range(100)]
    assert tcp_agent.connections == 100  # none was made in vain
    wait_for("the dialer to hold its two", lambda: sorted(proc.descriptors(proxy.dialer)) == [0, 1, *REPORT])


def test_no_more_connections_are_asked_for_than_may_be_in_flight(tenant):
    most, lock, now = [], threading.Lock(), [0]

    def count(_):
        with lock:
            now[0] += 1
            most.append(now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    with TcpAgent(count) as agent, Proxy(agent, "--max-in-flight", "3", netns=tenant.proxy):
        assert [answer.status for answer in together(lambda _: get(tenant), range(30))] == [200] * 30
    assert max(most) <= 3 and agent.connections == 30


def test_a_dialer_that_does_not_answer_is_an_agent_that_does_not_accept(tenant, proxy):
    with held_up(proxy.dialer):
        assert get(tenant).status == 503
    assert get(tenant).status == 200
    assert reasons(proxy, 2) == ["agent-busy", "-"]


def test_a_connection_asked_for_by_a_guest_that_has_gone_is_the_next_ones(tenant, proxy, tcp_agent):
    with held_up(proxy.dialer):
        guest = tenant.client()
        guest.send("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for("the ask", lambda: proc.unread(proxy.dialer, 1))
        guest.reset_now()
        wait_for("the guest to be gone", lambda: proxy.event("request"))
        with tenant.client() as second:
            second.send("GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.05)
            os.kill(proxy.dialer, signal.SIGCONT)
            assert second.answer().status == 200
    assert [request.target for request in tcp_agent.requests] == ["/second"] and tcp_agent.connections == 1


def test_a_connection_that_nobody_wants_is_closed(tenant, proxy, tcp_agent):
    with held_up(proxy.dialer):
        guest = tenant.client()
        guest.send("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for("the ask", lambda: proc.unread(proxy.dialer, 1))
        guest.reset_now()
        wait_for("the guest to be gone", lambda: proxy.event("request"))
    wait_for("the connection to come and go", lambda: tcp_agent.connections == 1)
    assert not tcp_agent.requests
    assert get(tenant).status == 200


def test_a_new_worker_never_gets_what_its_predecessor_has_asked_for(tenant, proxy, tcp_agent):
    with held_up(proxy.dialer):
        with tenant.client() as guest:
            guest.send("GET /lost HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for("the ask", lambda: proc.unread(proxy.dialer, 1))
            os.kill(proxy.worker, signal.SIGKILL)
            wait_for("the next worker", lambda: proxy.event("serving", 2))
            assert guest.answer() is None
        with tenant.client() as second:
            second.send("GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
            os.kill(proxy.dialer, signal.SIGCONT)
            assert second.answer().status == 200
    assert [request.target for request in tcp_agent.requests] == ["/second"] and tcp_agent.connections == 1
    wait_for("the dialer to hold its two", lambda: sorted(proc.descriptors(proxy.dialer)) == [0, 1, *REPORT])


def test_requests_go_on_when_the_worker_is_killed_under_load(tenant, proxy):
    stop = threading.Event()

    def ask(_):
        good = 0
        while not stop.is_set():
            with contextlib.suppress(OSError), tenant.client() as guest:
                answer = guest.get()
                good += answer is not None and answer.status == 200
        return good

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(ask, i) for i in range(4)]
        for number in (2, 3):
            os.kill(proxy.worker, signal.SIGKILL)
            wait_for("the next worker", lambda n=number: proxy.event("serving", n))
        stop.set()
        assert all(future.result() > 0 for future in running)
    assert get(tenant).status == 200


def test_requests_in_flight_are_finished_when_told_to_end(tenant):
    def slowly(_):
        return [0.3, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]

    with TcpAgent(slowly) as agent, Proxy(agent, netns=tenant.proxy) as proxy, tenant.client() as guest:
        guest.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for("the request", lambda: agent.requests)
        proxy.process.send_signal(signal.SIGQUIT)
        assert guest.answer().status == 200
        assert proxy.process.wait(20) == 0


def test_the_dialers_death_ends_all_with_a_status_of_its_own(tenant, proxy):
    pids = [proxy.dialer, proxy.nursery, proxy.worker]
    os.kill(proxy.dialer, signal.SIGKILL)
    assert proxy.process.wait(20) == 46
    proxy.reader.join(20)  # its last line is behind its end
    wait_for("all to be gone", lambda: gone(*pids))
    assert "cannot keep the dialer running" in "\n".join(proxy.lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_parent(proxy, number):
    pids = [proxy.dialer, proxy.nursery, proxy.worker]
    began = time.monotonic()
    proxy.stop(number)
    wait_for("all to be gone", lambda: gone(*pids))
    assert time.monotonic() - began < 2


# What the processes are and see.

def pids_of(proxy):
    return {"dialer": proxy.dialer, "nursery": proxy.nursery, "worker": proxy.worker}


def without_reports(found):
    return {fd: what for fd, what in found.items() if fd not in REPORT}


def test_the_dialer_is_confined_as_a_child_but_for_its_network(proxy):
    status, ours = proc.status(proxy.dialer), proc.status("self")
    assert status["Uid"] == [str(NOBODY.pw_uid)] * 4 and status["Gid"] == [str(NOBODY.pw_gid)] * 4
    assert status["Groups"] == [] and status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"]
    assert int(status["Seccomp_filters"][0]) == int(ours["Seccomp_filters"][0]) + 1
    assert proc.capabilities(proxy.dialer) == dict.fromkeys(proc.CAPABILITY_SETS, 0)
    assert status["NSpid"][-1] == "1" and status["NSsid"][-1] == "1"
    mine, theirs = proc.namespaces("self"), proc.namespaces(proxy.dialer)
    assert [kind for kind in proc.NAMESPACES if mine[kind] == theirs[kind]] == ["net"]
    for name in ("mem", "environ", "maps", "fd"):
        assert os.stat("/proc/%d/%s" % (proxy.dialer, name)).st_uid == 0
    assert proc.read(proxy.dialer, "environ") == ""
    assert proc.read(proxy.dialer, "cmdline").split("\0")[:2] == ["metaward-worker", "dialer"]
    for name in ("Max core file size", "Max locked memory", "Max msgqueue size", "Max file size", "Max processes"):
        assert proc.limit(proxy.dialer, name) == (0, 0), name


def test_nursery_and_worker_have_no_network(proxy):
    for pid in (proxy.nursery, proxy.worker):
        links = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-o", "link"], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        assert len(links) == 1 and " lo: " in links[0] and "state DOWN" in links[0]


@pytest.mark.plain
@pytest.mark.parametrize("role", ROLES)
def test_the_root_of_each_is_empty(proxy, role):
    pid = pids_of(proxy)[role]
    (mount,) = proc.mounts(pid)
    assert (mount["point"], mount["type"], mount["optional"]) == ("/", "tmpfs", [])
    assert mount["options"] >= {"ro", "nosuid", "nodev", "noexec", "nosymfollow"}
    root = "/proc/%d/root" % pid
    assert os.listdir(root) == []
    with pytest.raises(OSError, match="Read-only"):
        os.mkdir(root + "/new")


def test_each_holds_exactly_its_descriptors(tenant, proxy):
    assert get(tenant).status == 200
    listening = {4: "inet stream listening"}
    wait_for("the guest to be gone", lambda: "inet stream" not in proc.kinds(proxy.worker).values())
    assert without_reports(proc.kinds(proxy.worker)) == {
        0: "unix seqpacket", 1: "unix dgram", 2: "anon_inode:[eventpoll]", 3: "unix seqpacket", **listening}
    wait_for("the dialer to hold no connection", lambda: 2 not in proc.descriptors(proxy.dialer))
    assert without_reports(proc.kinds(proxy.dialer)) == {0: "unix seqpacket", 1: "unix seqpacket"}


@pytest.mark.plain
def test_the_dialers_address_lies_in_a_page_that_is_read_only_and_sealed(proxy, tcp_agent):
    _, content, flags = proc.pinned_page(proxy.dialer, socket.AF_INET)
    assert content.rstrip(b"\0") == struct.pack("=HH4s", socket.AF_INET, socket.htons(tcp_agent.port), b"\x7f\0\0\1")
    if tuple(int(x) for x in os.uname().release.split(".")[:2]) >= (6, 10):
        assert "sl" in flags


@pytest.mark.plain
@pytest.mark.measured
def test_the_dialer_is_small(tenant, proxy):
    for _ in range(100):
        assert get(tenant).status == 200
    anonymous = int(proc.status(proxy.dialer)["RssAnon"][0])
    print("anonymous memory of the dialer: %d kB" % anonymous)
    assert anonymous <= 80


# Starts that fail, and the look-up.

def fails(address, *options, under=()):
    return start_failing("--network-id", NETWORK, "--user", "nobody", "--log", "stderr", "--listen", "127.0.0.1:18",
                         "--metadata-address", address, *options, under=under)


def test_an_address_and_a_socket_are_one_too_many():
    status, said = fails("127.0.0.1:80", "--metadata-proxy-socket", "/run/x/y")
    assert status == 2 and "--metadata-address: not together with metadata-proxy-socket" in said


def test_41_the_host_daemon_has_no_dialer(tmp_path):
    file = tmp_path / "metaward.conf"
    file.write_text("[metaward]\nuser = nobody\nmetadata_address = 127.0.0.1:80\n")
    status, said = start_failing("--config", str(file))
    assert status == 41 and "metadata_address in a host's file: EOPNOTSUPP" in said


def test_43_a_name_that_nobody_knows():
    status, said = fails("no-such-name.invalid:80")
    assert status == 43 and "cannot look up the agent's name: no-such-name.invalid: E" in said


def test_45_the_dialer_can_not_be_started():
    inject = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=clone", "-e", "inject=clone:error=EAGAIN:when=1"]
    status, said = fails("127.0.0.1:80", under=inject)
    assert status == 45 and "cannot start the dialer: EAGAIN" in said


class NameServer:
    """Answers questions for A with one address, when it is allowed to; all others with nothing."""

    def __init__(self, namespace, address="10.1.2.3"):
        with namespace.inside():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        self.address, self.asked, self.answers = address, threading.Event(), threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            with contextlib.suppress(OSError):
                question, where = self.sock.recvfrom(512)
                self.asked.set()
                self.answers.wait(20)
                end = question.index(b"\0", 12) + 5
                known = question[end - 4:end - 2] == b"\0\1"
                record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(self.address) if known else b""
                self.sock.sendto(question[:2] + struct.pack(">5H", 0x8180, 1, int(known), 0, 0) + question[12:end] + record, where)


@pytest.fixture
def name_server(tmp_path):
    with Namespace() as namespace:
        server = NameServer(namespace)
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        tmp_path.chmod(0o755)
        server.under = [*run_on(namespace), "unshare", "--mount", "--propagation", "private", "sh", "-c",
                        "mount --bind %s/resolv.conf /etc/resolv.conf && exec \"$@\"" % tmp_path, "sh"]
        server.namespace = namespace
        yield server
        server.answers.set()
        server.sock.close()


def test_the_name_is_looked_up_by_somebody_without_power(name_server):
    with TcpAgent() as agent:
        agent.name = "agent.example"
        proxy = Proxy(agent, listen=["127.0.0.1:8080"], under=name_server.under)
        starting = threading.Thread(target=proxy.start)
        starting.start()
        assert name_server.asked.wait(20)
        (child,) = wait_for("who asks", proxy.children)
        status = proc.status(child)
        assert status["Uid"] == status["Gid"] == ["65534"] * 4 and status["Groups"] == []
        assert proc.capabilities(child) == dict.fromkeys(proc.CAPABILITY_SETS, 0)
        assert status["NoNewPrivs"] == ["1"] and status["NSpid"][-1] == "1"
        name_server.answers.set()
        starting.join()
        assert proxy.event("agent-resolved")["address"] == "10.1.2.3:%d" % agent.port
        assert not os.path.exists("/proc/%d" % child)
        assert proxy.stop() == 0


def test_43_a_name_server_that_does_not_answer(name_server):
    status, said = fails("agent.example:80", under=name_server.under)
    assert status == 43 and "agent.example: EAGAIN" in said


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])
def test_43_a_name_that_means_nobody(name_server, address):
    name_server.address = address
    name_server.answers.set()
    status, said = fails("agent.example:80", under=name_server.under)
    assert status == 43 and "agent.example: ENOENT" in said
