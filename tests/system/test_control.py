"""The control socket and metawardctl, with the real daemon: what may be asked, by whom, and what becomes of it."""
import concurrent.futures
import contextlib
import grp
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid

import pytest

import proc
from harness import PATIENCE, SANITIZED, Client, Tenant, unique, wait_for
from host import CTL, NOT_UNDERSTOOD, OK, REFUSED, UNKNOWN, UNREACHABLE, USAGE, Crowd, Host, ctl, many_tenants
from openmetrics import families
from shared import agent  # noqa: F401

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NOBODY, STRANGER, GROUP = 65534, 54321, 54322
IDENTITY = "6b1f0a52-7a3f-4d0c-9a53-3f0c5a1e77d4"


def listed(host):
    return {network["uuid"]: network for network in json.loads(ctl(host, "--json", "list"))}


def add(host, identity, netns, *more, **how):
    return ctl(host, "add", "--network-id", identity, "--netns", netns, *more, **how)


def identity_seen(tenant):
    with tenant.client() as guest:
        answer = guest.get()
    assert answer.status == 200
    return dict(json.loads(answer.body)["headers"])["X-Neutron-Network-ID"]


def closed_to(tenant):
    try:
        tenant.client().sock.close()
    except OSError:
        return True
    return False


@pytest.fixture(scope="module")
def tenant():
    with Tenant() as made:
        yield made


@pytest.fixture(scope="module")
def idle(agent):
    """A daemon without networks, for whatever leaves it without."""
    with Host(agent, workers=2) as host:
        yield host


@pytest.mark.parametrize("options", [{"workers": 2}, {"isolation": "network"}], ids=["shared", "network"])
def test_a_network_is_added_by_name_serves_and_is_removed(agent, tenant, options):
    with Host(agent, **options) as host:
        assert json.loads(ctl(host, "--json", "add", "--network-id", IDENTITY, "--netns", tenant.proxy.name)) == {"added": IDENTITY}
        wait_for("the network to serve", lambda: not closed_to(tenant))
        assert identity_seen(tenant) == IDENTITY
        row = listed(host)[IDENTITY]
        assert (row["state"], row["origin"], row["netns"]) == ("serving", "control", tenant.proxy.name)
        assert row["listeners"] == ["169.254.169.254:80"] and row["identity"] == "X-Neutron-Network-ID"
        ctl(host, "remove", IDENTITY)
        wait_for("the network to be gone", lambda: closed_to(tenant))
        assert listed(host) == {}
        assert "there is no such network" in ctl(host, "remove", IDENTITY, status=UNKNOWN)


def test_a_namespace_is_handed_over_as_a_descriptor(idle, tenant):
    """By a path that only the caller has, and as the caller's own namespace."""
    path = "/proc/%d/ns/net" % tenant_process(tenant)
    for words, under in [(["--netns", path], ()), ([], ["ip", "netns", "exec", tenant.proxy.name])]:
        ctl(idle, "add", "--router-id", IDENTITY, *words, under=under)
        wait_for("the network to serve", lambda: not closed_to(tenant))
        assert listed(idle)[IDENTITY]["netns"] == ""
        with tenant.client() as guest:
            headers = dict(json.loads(guest.get().body)["headers"])
        assert headers["X-Neutron-Router-ID"] == IDENTITY
        ctl(idle, "remove", IDENTITY)
        wait_for("the network to be gone", lambda: closed_to(tenant))


def tenant_process(tenant):
    """A process in the tenant's namespace, for its path below /proc."""
    if not hasattr(tenant, "sleeper"):
        tenant.sleeper = subprocess.Popen(["ip", "netns", "exec", tenant.proxy.name, "sleep", "3600"])
        wait_for("the process to be inside", lambda: os.stat("/proc/%d/ns/net" % tenant.sleeper.pid).st_ino
                 == os.stat("/run/netns/" + tenant.proxy.name).st_ino)
    return tenant.sleeper.pid


@pytest.fixture(scope="module", autouse=True)
def no_sleeper_stays(tenant):
    yield
    if hasattr(tenant, "sleeper"):
        tenant.sleeper.kill()
        tenant.sleeper.wait()


def test_a_namespace_that_is_not_there_yet_is_waited_for(idle):
    name = unique("mwlate")
    add(idle, IDENTITY, name)
    row = listed(idle)[IDENTITY]
    assert row["state"] == "waiting" and "namespace" in row["error"]
    assert "waiting" in ctl(idle, "list") and row["error"] in ctl(idle, "show", IDENTITY)
    ctl(idle, "remove", IDENTITY)
    assert "cannot open the network namespace" in add(idle, IDENTITY, "/run/elsewhere/absent", status=REFUSED)
    assert "cannot" in add(idle, IDENTITY, "../escape", status=REFUSED)


def test_options_reach_the_network(idle, tenant):
    add(idle, IDENTITY, tenant.proxy.name, "--identity", "ovn", "--listen", "169.254.169.254:80", "--listen",
        "169.254.169.254:8080", "--rate-limit", "2/60", "--log-tag", "blue")
    row = listed(idle)[IDENTITY]
    assert row["listeners"] == ["169.254.169.254:80", "169.254.169.254:8080"]
    assert row["rate_limits"] == [{"limit": 2, "period_s": 60}] and row["log_tag"] == "blue"
    assert row["identity"] == "X-OVN-Network-ID"
    wait_for("the network to serve", lambda: not closed_to(tenant))
    with tenant.client(port=8080) as guest:
        assert [guest.get().status for _ in range(3)] == [200, 200, 429]
    ctl(idle, "remove", IDENTITY)


@pytest.mark.parametrize("words", [
    [], ["frobnicate"], ["--frobnicate"], ["list", "x"], ["remove"], ["remove", "x"], ["show", IDENTITY, IDENTITY], ["add"],
    ["add", "--network-id", "x"], ["add", "--network-id", IDENTITY, "--router-id", IDENTITY], ["drain"], ["add", "x"],
    ["add", "--network-id", IDENTITY, "--listen", "x"], ["add", "--network-id", IDENTITY, "--user", "root"],
    ["drain", "--all", IDENTITY], ["top", "--interval", "0"], ["metrics", "x"], ["metrics", "--listen", "x"],
    ["add", "--network-id", IDENTITY, *["--listen=10.0.0.%d:80" % i for i in range(5)]],
], ids=lambda words: "-".join(word for word in words if word != IDENTITY)[:50] or "nothing")
def test_a_wrong_command_line_is_status_2_and_one_line(idle, words):
    text = ctl(idle, *words, status=USAGE)
    assert text.count("\n") == 1 and "metawardctl" in text


def test_other_statuses(idle, tmp_path):
    assert "cannot reach the daemon" in ctl(str(tmp_path / "absent"), "list", status=UNREACHABLE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(str(tmp_path / "other"))
        other.listen()

        def answer():
            with other.accept()[0] as peer:
                peer.recv(4096)
                peer.send(b"hello")
        thread = threading.Thread(target=answer)
        thread.start()
        assert "not understood" in ctl(str(tmp_path / "other"), "list", status=NOT_UNDERSTOOD)
        thread.join()
    assert "there is no such network" in ctl(idle, "show", IDENTITY, status=UNKNOWN)
    assert "there is no such network" in ctl(idle, "drain", IDENTITY, status=UNKNOWN)
    assert ctl(idle, "health").startswith("healthy: ")


def test_who_may_ask(agent, tenant):
    """The socket's mode keeps strangers out, and so does the daemon where the mode would not; a member of the group may
    add by name, but neither by path nor drain."""
    with Host(agent, control_group=str(GROUP)) as host:
        assert os.stat(host.control).st_gid == GROUP and os.stat(host.control).st_mode & 0o777 == 0o660
        stranger, member = {"user": STRANGER, "group": STRANGER}, {"user": STRANGER, "group": GROUP}
        other_member = {**stranger, "groups": [1, GROUP]}
        ctl(host, "list", status=UNREACHABLE, **stranger)
        os.chmod(host.control, 0o666)
        ctl(host, "list", status=UNREACHABLE, **stranger)
        assert wait_for("the log line", lambda: host.event("control-refused"))["user"] == str(STRANGER)
        for who in (member, other_member):
            ctl(host, "list", **who)
            add(host, IDENTITY, tenant.proxy.name, **who)
            assert "that is for root" in ctl(host, "drain", "--all", status=REFUSED, **who)
            ctl(host, "remove", IDENTITY, **who)
        wait_for("the log line", lambda: [e for e in host.events("control-request") if e["request"] == "add"])


def test_only_root_may_use_the_socket_without_a_group(idle):
    assert os.stat(idle.control).st_mode & 0o777 == 0o600
    ctl(idle, "list", status=UNREACHABLE, user=STRANGER, group=STRANGER)


def test_networks_of_files_are_shown_and_not_removed(agent, tenant):
    with Host(agent, {"good": (IDENTITY, tenant.proxy), "bad": "[network]\nnetwork_id = x\n"}) as host:
        rows = json.loads(ctl(host, "--json", "list"))
        assert [(r["state"], r["file"]) for r in rows] == [("failed", "bad.conf"), ("serving", "good.conf")]
        assert "2" in rows[0]["error"] and "bad.conf" in ctl(host, "list")
        assert "it comes from a file" in ctl(host, "remove", IDENTITY, status=REFUSED)
        assert "1 networks have failed" in ctl(host, "health", status=REFUSED)
        done = subprocess.run([CTL, "--socket", host.control, "--json", "health"], capture_output=True, text=True, check=False)
        health = json.loads(done.stdout)
        assert done.returncode == REFUSED and not health["healthy"] and health["networks"]["failed"] == 1
        assert [w["serving"] for w in health["workers"]] == [True] * len(health["workers"])


def test_health_tells_of_a_worker_that_does_not_serve(agent):
    with Host(agent, workers=2) as host:
        for _ in range(4):
            for worker in host.workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            time.sleep(0.02)
        wait_for("a complaint", lambda: subprocess.run([CTL, "--socket", host.control, "health"], capture_output=True,
                                                       check=False).returncode == REFUSED)
        wait_for("its end", lambda: subprocess.run([CTL, "--socket", host.control, "health"], capture_output=True,
                                                   check=False).returncode == OK)


def test_removing_closes_that_network_only(agent):
    """Under load: no other network loses a connection or a request."""
    with many_tenants(3) as tenants, Host(agent, workers=1) as host:
        for identity, tenant in tenants.items():
            add(host, identity, tenant.proxy.name)
        wait_for("all to serve", lambda: all(not closed_to(t) for t in tenants.values()))
        (_, _), (second, _), (_, _) = tenants.items()
        done, ends = threading.Event(), {}

        def load(identity, tenant):
            count = 0
            try:
                with tenant.client() as guest:
                    while not done.is_set():
                        if guest.get().status != 200:
                            return count, "status"
                        count += 1
            except Exception as error:  # pylint: disable=broad-except
                return count, repr(error)
            return count, None
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for _ in range(2):
                for identity, tenant in tenants.items():
                    ends.setdefault(identity, []).append(pool.submit(load, identity, tenant))
            time.sleep(0.3)
            ctl(host, "remove", second)
            time.sleep(0.3)
            done.set()
        for identity, futures in ends.items():
            for count, error in (f.result() for f in futures):
                assert count > 0 and (error is not None) == (identity == second), (identity, error)


def test_drain_of_a_network_lets_its_connections_go_on(agent, tenant):
    with Host(agent) as host:
        add(host, IDENTITY, tenant.proxy.name)
        wait_for("the network to serve", lambda: not closed_to(tenant))
        with tenant.client() as guest:
            assert guest.get().status == 200
            ctl(host, "drain", IDENTITY)
            wait_for("newcomers to be refused", lambda: closed_to(tenant))
            assert guest.get().status == 200
            assert listed(host)[IDENTITY]["state"] == "draining"


def test_drain_of_all_ends_the_daemon(agent):
    with Host(agent) as host:
        ctl(host, "drain", "--all")
        assert host.process.wait(PATIENCE) == 0


def test_what_is_counted_is_what_happened(agent, tenant):
    with Host(agent, workers=2) as host:
        add(host, IDENTITY, tenant.proxy.name, "--rate-limit", "6/60")
        wait_for("the network to serve", lambda: not closed_to(tenant))
        counted = wait_for("that look to be counted", lambda: json.loads(ctl(host, "--json", "stats", IDENTITY))["connections"])
        with tenant.client() as guest:
            guest.get(headers="X-Instance-ID: forged\r\n")
            assert [guest.get().status for _ in range(6)] == [200] * 5 + [429]
        with tenant.client() as guest:
            assert guest.get(method="BREW").status == 501

        def stats():
            found = json.loads(ctl(host, "--json", "stats", IDENTITY))
            return found["open"] == 0 and sum(found["requests"].values()) == 8 and found
        found = wait_for("the counters", stats)
        assert found["connections"] == counted + 2
        assert found["requests"] == {"none": 0, "1xx": 0, "2xx": 6, "3xx": 0, "4xx": 1, "5xx": 1}
        assert found["refused"] == {"rate-limited": 1, "method-unknown": 1}
        assert (found["spoofs"], found["rate_limited"], found["queued"], found["in_flight"]) == (1, 1, 0, 0)
        assert sum(c["count"] for c in found["latency"]) == 6
        assert json.loads(ctl(host, "--json", "stats")) == [found]
        table = ctl(host, "stats").splitlines()
        assert table[1].split()[0] == IDENTITY and table[1].split()[3:7] == ["8", "6", "1", "1"]
        os.kill(host.workers[listed(host)[IDENTITY]["worker"]], signal.SIGKILL)
        wait_for("service again", lambda: not closed_to(tenant))
        with tenant.client() as guest:
            guest.get()
        again = wait_for("the next count", lambda: (s := json.loads(ctl(host, "--json", "stats", IDENTITY)))["connections"]
                         > found["connections"] and s)
        assert again["spoofs"] == 1 and again["requests"]["2xx"] >= 6


def test_networks_that_come_and_go_without_a_worker_keep_to_its_numbers(agent):
    """At the limit, while the worker waits for its next start: it would be told of a number that it does not have, and end."""
    with Crowd(3) as crowd_, Host(agent, workers=1, config="[limits]\nmax_networks = 2\n") as host:
        for identity, name in list(zip(crowd_.ids, crowd_.names))[:2]:
            add(host, identity, name)
        for _ in range(3):
            worker = wait_for("a worker", lambda: host.workers)[0]
            os.kill(worker, signal.SIGKILL)
            wait_for("its end", lambda gone=worker: gone not in host.workers)
        ctl(host, "remove", crowd_.ids[0])
        add(host, crowd_.ids[2], crowd_.names[2])
        for number in (1, 2):
            with crowd_.client(number) as guest:
                assert guest.get().status == 200
        assert not any("event=worker-ended" in line for line in host.lines)


@pytest.mark.parametrize("options", [{"workers": 2}, {"isolation": "network"}], ids=["shared", "network"])
def test_each_network_has_its_own_numbers(agent, options):
    with Crowd(3) as crowd_, Host(agent, crowd_.files(), **options) as host:
        for number in range(3):
            with crowd_.client(number) as guest:
                assert [guest.get().status for _ in range(number + 1)] == [200] * (number + 1)

        def answered():
            return {row["uuid"]: row["requests"]["2xx"] for row in json.loads(ctl(host, "--json", "stats"))}
        expected = {identity: number + 1 for number, identity in enumerate(crowd_.ids)}
        wait_for("the counters of all three", lambda: answered() == expected)
        assert json.loads(ctl(host, "--json", "stats", crowd_.ids[2]))["requests"]["2xx"] == 3


@pytest.fixture(scope="module")
def crowd(agent):
    """2000 networks, few of which have a namespace."""
    ids = [str(uuid.UUID(int=0xd9f7c1a01b2c4d3e8f90000000000000 + i)) for i in range(2000)]
    rows = [("network-%d" % i, (identity, "absent-%d" % i)) for i, identity in enumerate(ids[:1000])]
    with Host(agent, dict(rows), workers=2, config="[limits]\nmax_networks = 4096\n") as host:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: add(host, ids[i], "absent-%d" % i), range(1000, 2000)))
        yield host, ids


def test_a_list_of_two_thousand_networks(crowd):
    host, ids = crowd
    start = time.monotonic()
    assert sorted(listed(host)) == ids
    print("list of %d in %.0f ms" % (len(ids), (time.monotonic() - start) * 1000))
    table = ctl(host, "list").splitlines()
    assert len(table) == 2001 and len({line.index("waiting") for line in table[1:]}) == 1


def request(kind, body=b""):
    return struct.pack("<HHI", 1, kind, 0) + body.ljust(request.size - 8, b"\0")


request.size = 0
LIST, HEALTH, DRAIN, LEASE, UPGRADE = 3, 6, 7, 9, 10


def raw(host):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(PATIENCE)
    sock.connect(host.control)
    return sock


@pytest.fixture(scope="module", autouse=True)
def request_size():
    """As long as the structure is: what the daemon takes."""
    text = open(os.path.join(TOP, "fuzz", "corpus", "control", "list"), "rb").read()
    request.size = len(text) - 2
    yield


def test_a_slow_client_delays_nobody(crowd):
    host, ids = crowd
    slow = [raw(host) for _ in range(8)]
    for sock in slow:
        sock.send(request(LIST))
    start = time.monotonic()
    for _ in range(10):
        ctl(host, "health")
    assert time.monotonic() - start < 5
    for sock in slow:
        got = 0
        while struct.unpack_from("<HH", sock.recv(4096))[1] != 1:
            got += 1
        assert got == len(ids)
        sock.close()


def test_hostile_requests_leave_the_daemon_serving(agent, tenant):
    """100000 of them, from root, who gets as far as anybody can."""
    with Host(agent) as host:
        add(host, IDENTITY, tenant.proxy.name)
        wait_for("the network to serve", lambda: not closed_to(tenant))
        before, seeds = len(proc.descriptors(host.process.pid)), []
        folder = os.path.join(TOP, "fuzz", "corpus", "control")
        for name in sorted(os.listdir(folder)):
            if not name.startswith(("reply", "drain")):
                seeds.append(bytearray(open(os.path.join(folder, name), "rb").read()[:-2]))
        dice, sock = 1, raw(host)
        for i in range(100000 if not SANITIZED else 5000):
            dice = (dice * 6364136223846793005 + 1442695040888963407) % 2**64
            packet = bytearray(seeds[i % len(seeds)])
            packet[(dice >> 33) % len(packet)] ^= 1 << (dice >> 20) % 8
            if packet[2] in (DRAIN, UPGRADE):  # they would be obeyed
                packet[2] = 200
            if i % 5 == 0:
                packet[2] = 200
            try:
                sock.send(packet, socket.MSG_DONTWAIT)
            except OSError:
                sock.close()
                assert host.process.poll() is None, (i, host.process.poll(), host.lines[-20:])
                sock = raw(host)
        sock.close()
        assert identity_seen(tenant) == IDENTITY
        ctl(host, "list")
        wait_for("all to be closed", lambda: len(proc.descriptors(host.process.pid)) <= before + 1)
        assert host.process.poll() is None and len(host.events("control-refused")) < 120


def lease(host, tenant):
    """A lease's connection, once it is granted."""
    sock = raw(host)
    with open("/run/netns/" + tenant.proxy.name, "rb") as netns:
        socket.send_fds(sock, [request(LEASE, spec_of(IDENTITY, ""))], [netns.fileno()])
    assert struct.unpack_from("<HH", sock.recv(4096))[1] == 1
    return sock


def test_a_lease_is_served_as_long_as_its_connection_is_there(agent, tenant):
    with Host(agent) as host:
        for _ in range(3):
            with lease(host, tenant) as first:
                wait_for("the network to serve", lambda: not closed_to(tenant))
                assert identity_seen(tenant) == IDENTITY
                assert listed(host)[IDENTITY]["origin"] == "lease"
                assert "held by a lease" in ctl(host, "remove", IDENTITY, status=REFUSED)
                with raw(host) as second, open("/run/netns/" + tenant.proxy.name, "rb") as netns:
                    socket.send_fds(second, [request(LEASE, spec_of(IDENTITY, ""))], [netns.fileno()])
                    answer = second.recv(4096)
                    assert struct.unpack_from("<HH", answer)[1] == 2 and b"another process holds its lease" in answer
                assert identity_seen(tenant) == IDENTITY  # whatever became of the other one
            start = time.monotonic()
            wait_for("the network to be gone", lambda: closed_to(tenant))
            print("gone after %.1f ms" % ((time.monotonic() - start) * 1000))
            assert listed(host) == {}


def test_many_leases_take_no_clients_place(agent):
    with Crowd(40) as crowd_, Host(agent) as host, contextlib.ExitStack() as stack:
        for identity, name in zip(crowd_.ids, crowd_.names):
            sock = stack.enter_context(raw(host))
            with open("/run/netns/" + name, "rb") as netns:
                socket.send_fds(sock, [request(LEASE, spec_of(identity, ""))], [netns.fileno()])
            assert struct.unpack_from("<HH", sock.recv(4096))[1] == 1
        assert sorted(listed(host)) == sorted(crowd_.ids)
        assert {row["state"] for row in listed(host).values()} == {"serving"}


@pytest.fixture(scope="module")
def busy(agent):
    """A daemon with one network that has traffic and one that waits."""
    with Tenant() as tenant, Host(agent) as host:
        add(host, IDENTITY, tenant.proxy.name)
        add(host, str(uuid.UUID(int=1)), "absent")
        wait_for("the network to serve", lambda: not closed_to(tenant))
        with tenant.client() as guest:
            for _ in range(5):
                guest.get()
        wait_for("the counters", lambda: json.loads(ctl(host, "--json", "stats", IDENTITY))["requests"]["2xx"] == 5)
        yield host


def check_metrics(text):
    found = families(text)
    samples = {(name, tuple(sorted(labels.items()))): value for f in found.values() for name, labels, value in f["samples"]}
    of = (("network", IDENTITY),)
    assert samples["metaward_requests_total", of + (("status", "2xx"),)] == 5
    assert samples["metaward_network_up", of] == 1 and samples["metaward_network_up", (("network", str(uuid.UUID(int=1))),)] == 0
    assert samples["metaward_request_duration_seconds_count", of] == 5
    assert samples["metaward_networks", (("state", "waiting"),)] == 1
    assert found["metaward_request_duration_seconds"]["unit"] == "seconds"
    assert {f["type"] for f in found.values()} == {"counter", "gauge", "histogram", "info"}


def test_metrics_are_openmetrics(busy):
    check_metrics(ctl(busy, "metrics"))


@contextlib.contextmanager
def serving_metrics(host, **how):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Nothing can look for leaks in a process that has made itself opaque.
    process = subprocess.Popen([CTL, "--socket", host.control, "metrics", "--listen", "127.0.0.1:%d" % port],
                               env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, **how)
    try:
        yield process, port, wait_for("the server", lambda: listening(port))
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def fetch(port, target="/metrics", method="GET"):
    with Client(socket.create_connection(("127.0.0.1", port), PATIENCE)) as client:
        return client.get(target, method=method)


def test_metrics_are_served_without_power(agent, tenant):
    with Host(agent, control_group=str(GROUP)) as host, serving_metrics(host) as (process, port, _):
        add(host, IDENTITY, tenant.proxy.name)
        add(host, str(uuid.UUID(int=1)), "absent")
        wait_for("the network to serve", lambda: not closed_to(tenant))
        with tenant.client() as guest:
            for _ in range(5):
                guest.get()
        wait_for("the counters", lambda: json.loads(ctl(host, "--json", "stats", IDENTITY))["requests"]["2xx"] == 5)
        answer = fetch(port)
        assert answer.status == 200
        assert answer.header("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        check_metrics(answer.body.decode())
        assert fetch(port, "/").status == 404 and fetch(port, method="POST").status in (405, 501)
        status = dict(line.rstrip("\n").split(":\t", 1) for line in open("/proc/%d/status" % process.pid) if ":\t" in line)
        assert status["Uid"].split() == [str(NOBODY)] * 4 and status["Gid"].split() == [str(GROUP)] * 4
        assert status["CapEff"] == "0" * 16 and status["NoNewPrivs"] == "1" and status["Groups"].strip() == ""


def test_metrics_server_outlives_the_daemon(agent):
    with Host(agent, control_group=str(GROUP)) as host, serving_metrics(host) as (_, port, _):
        assert fetch(port).status == 200
        host.process.terminate()
        host.process.wait(PATIENCE)
        assert fetch(port).status == 503
        host.lines = []
        host.start()
        assert fetch(port).status == 200


def test_metrics_server_stays_quiet_where_all_its_descriptors_are_in_use(agent, tmp_path):
    with Host(agent, control_group=str(GROUP)) as host, open(tmp_path / "said", "w+", encoding="utf-8") as said, \
            serving_metrics(host, stderr=said) as (process, port, _):
        assert fetch(port).status == 200
        with contextlib.ExitStack() as stack:
            for _ in range(300):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
            wait_for("them to take all", lambda: len(os.listdir("/proc/%d/fd" % process.pid)) == 256)
            time.sleep(0.5)  # what it says in that time is looked at
        assert fetch(port).status == 200
        said.seek(0)
        assert said.read() == ""


def test_top_once(busy):
    text = ctl(busy, "top", "--once", "--interval", "0.2").splitlines()
    assert "2 workers" in text[0] or "workers; networks: 1 serving, 1 waiting" in text[0]
    assert "requests/s" in text[1] and text[2].split()[:3] == ["NETWORK", "STATE", "REQ/S"]
    assert [line.split()[0] for line in text[3:]] == sorted([IDENTITY, str(uuid.UUID(int=1))])
    assert len(ctl(busy, "top", "--interval", "0.2", "--rows", "1").splitlines()) == 4


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "interrupt"])
def test_top_on_a_terminal(busy, key):
    leader, terminal = pty.openpty()
    process = subprocess.Popen([CTL, "--socket", busy.control, "top", "--interval", "0.2"], stdin=terminal, stdout=terminal,
                               stderr=terminal, start_new_session=True,
                               preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
    os.close(terminal)
    seen = bytearray()

    def read_on():
        seen.extend(os.read(leader, 65536))
        return seen.count(b"\033[H") >= 2
    wait_for("two pictures", read_on)
    os.write(leader, key)
    with contextlib.suppress(OSError):  # the terminal's end
        while True:
            seen.extend(os.read(leader, 65536))
    assert process.wait(PATIENCE) == 0
    os.close(leader)
    assert seen.startswith(b"\033[?1049h") and seen.rstrip().endswith(b"\033[?1049l") and IDENTITY.encode() in seen


def test_a_daemon_that_is_there_keeps_its_socket(agent, idle):
    other = Host(agent, control_socket=idle.control)
    done = subprocess.run(other.command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    shutil.rmtree(other.folder)
    assert done.returncode == 47 and "EADDRINUSE" in done.stderr
    ctl(idle, "list")


def test_help_names_what_works_and_the_completion_knows_it():
    shown = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True).stdout
    verbs = re.findall(r"(?m)^  ([a-z]+)(?: |$)", shown)
    assert len(verbs) >= 9
    script = os.path.join(TOP, "packaging", "metawardctl.bash-completion")
    ask = 'source "$0"; COMP_WORDS=(metawardctl "$@"); COMP_CWORD=$(($# )); _metawardctl; printf "%s\\n" "${COMPREPLY[@]}"'

    def completed(*words):
        return subprocess.run(["bash", "-c", ask, script, *words], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(completed("")) == sorted(verbs)
    assert completed("he") == ["health"] and "--netns" in completed("add", "--") and "--once" in completed("top", "--")
    assert "--json" in completed("--")
    page = open(os.path.join(TOP, "docs", "man", "metawardctl.1.scd"), encoding="utf-8").read()
    assert [verb for verb in verbs if "\n*%s*" % verb not in page] == []


@pytest.mark.measured
def test_adding_a_network_takes_a_moment(agent):
    with Crowd(20) as crowd_, Host(agent, workers=2) as host:
        times = []
        for identity, name in zip(crowd_.ids, crowd_.names):
            body = spec_of(identity, name)
            with raw(host) as sock:
                start = time.perf_counter()
                sock.send(request(1, body))
                assert struct.unpack_from("<HH", sock.recv(4096))[1] == 1
                times.append(time.perf_counter() - start)
        print("adding a network: median %.3f ms" % (sorted(times)[10] * 1000))
        assert sorted(times)[10] < 0.005


def spec_of(identity, name):
    """The seed's network with another id, name and one listener, without interface."""
    seed = bytearray(open(os.path.join(TOP, "fuzz", "corpus", "control", "add"), "rb").read()[8:-2])
    at = seed.index(b"d9f7c1a0")
    seed[at:at + 36] = identity.encode()
    at = seed.index(b"qdhcp-1")
    seed[at:at + 64] = name.encode().ljust(64, b"\0")
    second = seed.index(b"tap0") - 20
    seed[second:second + 36] = bytes(36)
    count = seed.index(b"\2\0\0\0", second + 36)
    seed[count] = 1
    return bytes(seed)
