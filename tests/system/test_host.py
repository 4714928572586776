"""The host daemon: many networks, their namespaces that come and go, its workers that die, its end."""
import contextlib
import json
import os
import signal
import socket
import statistics
import threading
import time

import pytest

import proc
from harness import OTHER, Agent, Client, Namespace, Tenant, echo, together, unique, wait_for
from hostile import Hostile
from host import Crowd, Host, files, many_tenants

BOTH = pytest.mark.parametrize("options", [{"workers": 2}, {"isolation": "network"}], ids=["shared", "network"])
ABSENT = "its namespace is not there"


def identity(tenant, address="169.254.169.254", port=80):
    """Who the agent thinks has asked."""
    with tenant.client(address, port) as guest:
        answer = guest.get()
    assert answer.status == 200
    return dict(json.loads(answer.body)["headers"])["X-Neutron-Network-ID"]


def refused(tenant):
    """Is nobody at the address any more?"""
    try:
        tenant.client().sock.close()
    except OSError:
        return True
    return False


def tap_is_gone(tenant):
    """A namespace that is really gone takes its end of the wire with it, and so the guest's."""
    return "eth0" not in tenant.guest.ip("-o", "link", "show")


def rewire(tenant):
    """The namespace's name again, a new namespace behind it, and the wire to the guest."""
    tenant.proxy.__enter__()
    tenant.guest.ip("route", "flush", "table", "local", "10.9.0.0/16")
    tenant.wire()


@BOTH
def test_the_same_guest_address_in_many_networks_means_many_guests(agent, options):
    with many_tenants(5) as tenants, Host(agent, files(tenants), **options) as host:
        assert len(host.workers) == (2 if "workers" in options else 5)
        for identifier, tenant in list(tenants.items()) * 2:
            assert identity(tenant) == identifier

        def ask_often(number):
            identifier, tenant = list(tenants.items())[number % 5]
            with tenant.client() as guest:
                for _ in range(20):
                    answer = guest.get()
                    assert dict(json.loads(answer.body)["headers"])["X-Neutron-Network-ID"] == identifier
            return True
        assert all(together(ask_often, range(10)))


@BOTH
def test_a_deleted_namespace_is_let_go_and_taken_up_again(agent, options):
    with many_tenants(2) as tenants, Host(agent, files(tenants), **options) as host:
        (first, tenant), (second, other) = tenants.items()
        assert identity(tenant) == first
        with tenant.client() as guest, other.client() as bystander:
            assert guest.get().status == 200 and bystander.get().status == 200
            start = time.monotonic()
            tenant.proxy.__exit__()
            wait_for("the namespace's devices to be gone", lambda: tap_is_gone(tenant), patience=5)
            assert time.monotonic() - start < 1 or os.environ.get("CI_SLOW")
            assert wait_for("the log line", lambda: host.event("network-waiting"))["network"] == first
            rewire(tenant)
            wait_for("the network to be served again", lambda: not refused(tenant))
            assert identity(tenant) == first
            assert bystander.get().status == 200  # on the connection that it had


def test_a_replaced_namespace_is_let_go_and_the_new_one_is_taken_up(tenant, agent):
    spare = unique("mw")
    with Host(agent, {"one": (OTHER, tenant.proxy)}) as host:
        with tenant.client() as guest:
            assert guest.get().status == 200
            os.rename(tenant.proxy.path, tenant.proxy.path) # nothing happens
            with Namespace(spare) as new:
                os.system("umount %s && mount --bind %s %s" % (tenant.proxy.path, new.path, tenant.proxy.path))
                new.ip("addr", "add", "169.254.169.254/32", "dev", "lo")
                wait_for("the old one's devices to be gone", lambda: tap_is_gone(tenant), patience=5)
                with contextlib.closing(wait_for("the new one to be served", lambda: connected(new))) as sock:
                    assert Client(sock).get().status == 200
        assert not host.event("worker-died")


def connected(namespace):
    try:
        return namespace.connect("169.254.169.254")
    except OSError:
        return None


@BOTH
def test_a_namespace_that_comes_later_is_taken_up_at_once(agent, options):
    name = unique("mw")
    with Host(agent, {"one": (OTHER, name)}, **options) as host:
        waiting = wait_for("the log line", lambda: host.event("network-waiting"))
        assert (waiting["network"], waiting["why"]) == (OTHER, ABSENT)
        time.sleep(0.5)  # the pause between two tries has grown by now, and must not matter
        with Namespace(name) as namespace:
            namespace.ip("addr", "add", "169.254.169.254/32", "dev", "lo")
            with Client(wait_for("a connection", lambda: connected(namespace), patience=6)) as guest:
                assert guest.get().status == 200


def test_an_address_that_comes_later_is_listened_at(agent):
    with Namespace() as namespace:
        listen = ["127.0.0.1:80", "169.254.169.254:80"]
        with Host(agent, {"one": (OTHER, namespace, listen)}) as host:
            waiting = wait_for("the log line", lambda: host.event("network-waiting"))
            assert waiting["error"] == "EADDRNOTAVAIL"
            with Client(namespace.connect("127.0.0.1")) as guest:  # what can be served is
                assert guest.get().status == 200
            namespace.ip("addr", "add", "169.254.169.254/32", "dev", "lo")
            with Client(wait_for("a connection", lambda: connected(namespace), patience=8)) as guest:
                assert guest.get().status == 200
            wait_for("the log line", lambda: host.event("network-serving"))


def test_an_address_in_use_is_waited_for(agent):
    with Namespace() as namespace:
        namespace.ip("addr", "add", "169.254.169.254/32", "dev", "lo")
        with namespace.inside():
            other = socket.create_server(("169.254.169.254", 80))
        with Host(agent, {"one": (OTHER, namespace)}) as host:
            assert wait_for("the log line", lambda: host.event("network-waiting"))["error"] == "EADDRINUSE"
            other.close()
            with Client(wait_for("a connection", lambda: connected(namespace), patience=8)) as guest:
                assert guest.get().status == 200


def test_a_bad_file_is_one_failed_network(tenant, agent):
    networks = {"bad": "[network]\nnetwork_id = nonsense\n", "good": (OTHER, tenant.proxy),
                "twin": (OTHER, tenant.proxy), "worse": "\x00\xff" * 100}
    with Host(agent, networks) as host:
        assert identity(tenant) == OTHER
        failed = {event["file"]: event for event in host.events("network-failed")}
        assert set(failed) == {"bad.conf", "twin.conf", "worse.conf"}
        assert failed["bad.conf"]["line"] == "2" and "nonsense" in failed["bad.conf"]["word"]
        ready = host.event("ready")
        assert (ready["serving"], ready["failed"]) == ("1", "3")


def ask(tenant):
    """One request on a new connection: its status, or None where the connection was lost in the middle."""
    with tenant.client() as guest:
        try:
            answer = guest.get()
        except (BrokenPipeError, ConnectionResetError):
            return None
        return answer.status if answer and answer.whole else None


@BOTH
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGSEGV, marks=pytest.mark.plain)])
def test_a_killed_worker_refuses_nobody_and_concerns_no_other(agent, options, number):
    stop = threading.Event()
    with many_tenants(2) as tenants, Host(agent, files(tenants), **options) as host:
        first, second = tenants.values()
        # Which worker is whose is seen by its connection: each has one network.
        victim = owner_of(host, first)

        def load(tenant):
            lost = answered = 0
            while not stop.is_set():
                status = ask(tenant)  # a refused connection fails the test
                answered += status == 200
                lost += status is None
            return answered, lost

        def kill(_):
            try:
                wait_for("requests", lambda: len(agent.requests) > 100)
                with second.client() as bystander:
                    assert bystander.get().status == 200
                    os.kill(victim, number)
                    wait_for("another worker", lambda: host.event("worker-died"))
                    assert bystander.get().status == 200
                served = len(agent.requests)
                wait_for("more requests", lambda: len(agent.requests) > served + 100)
            finally:
                stop.set()
            return 0, 0
        results = together(lambda job: job[0](job[1]), [(load, first), (load, first), (load, second), (kill, None)])
        assert results[0][1] + results[1][1] <= 2 and results[2][1] == 0
        assert min(answered for answered, _ in results[:3]) > 10
        assert wait_for("the log line", lambda: host.event("worker-died"))["signal"] == number.name


def owner_of(host, tenant):
    """The worker that serves a tenant's network."""
    with tenant.client() as guest:
        assert guest.get().status == 200
        inode = {what: pid for pid in host.workers for what in proc.descriptors(pid).values()}
        with tenant.proxy.inside(), open("/proc/thread-self/net/tcp", encoding="ascii") as f:
            line = next(line for line in f if line.split()[3] == "01")
        return inode["socket:[%s]" % line.split()[9]]


@pytest.mark.measured
@BOTH
def test_service_is_back_within_50_ms_of_a_workers_death(agent, options):
    def took():
        with Host(agent, files(tenants), **options) as host:
            worker = owner_of(host, tenant)
            start = time.monotonic()
            os.kill(worker, signal.SIGKILL)
            wait_for("the worker's end", lambda: not os.path.exists("/proc/%d" % worker))
            assert ask(tenant) == 200
            return time.monotonic() - start

    with many_tenants(1) as tenants:
        (tenant,) = tenants.values()
        best = min(took() for _ in range(5))
    print("service back after %.1f ms" % (best * 1000))
    assert best < 0.05


@pytest.mark.measured
@BOTH
def test_it_ends_within_100_ms(agent, options):
    def took():
        with Host(agent, files(tenants), **options) as host:
            start = time.monotonic()
            host.process.send_signal(signal.SIGTERM)
            assert host.process.wait(5) == 0
            return time.monotonic() - start

    with many_tenants(2) as tenants:
        best = min(took() for _ in range(5))
    print("ended after %.1f ms" % (best * 1000))
    assert best < 0.1


def gone(*pids):
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open("/proc/%d/stat" % pid, encoding="ascii") as f:
                if f.read().rpartition(")")[2].split()[0] != "Z":
                    return False
    return True


@BOTH
def test_told_to_end_it_ends_at_once(agent, options):
    with many_tenants(3) as tenants, Host(agent, files(tenants), **options) as host:
        pids = [host.nursery, *host.workers]
        with list(tenants.values())[0].client() as guest:
            assert guest.get().status == 200
            start = time.monotonic()
            assert host.stop() == 0
            assert time.monotonic() - start < 2
            assert gone(*pids) and guest.closed()
        assert all(refused(tenant) for tenant in tenants.values())


@BOTH
def test_nothing_outlives_a_killed_daemon(agent, options):
    with many_tenants(3) as tenants:
        host = Host(agent, files(tenants), **options).start()
        pids = [host.nursery, *host.workers]
        host.process.kill()
        wait_for("all to be gone", lambda: gone(*pids))
        wait_for("nobody to listen", lambda: all(refused(tenant) for tenant in tenants.values()))
        host.stop()


@BOTH
def test_a_drain_finishes_what_is_in_flight(options):
    def answer(request):
        return [1.0, echo(request)] if request.target == "/slow" else echo(request)
    with Agent(answer) as agent, many_tenants(2) as tenants, Host(agent, files(tenants), **options) as host:
        first, second = tenants.values()
        with first.client() as guest:
            guest.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for("the agent to be asked", lambda: agent.requests)
            host.process.send_signal(signal.SIGQUIT)
            wait_for("newcomers to be refused", lambda: refused(second) and refused(first))
            assert guest.answer().status == 200
        assert host.process.wait(10) == 0


def test_what_is_left_of_its_power(tenant, agent):
    with Host(agent, {"one": (OTHER, tenant.proxy)}) as host:
        status = proc.status(host.pid)
        assert status["CapEff"] == status["CapPrm"] == ["0000000000200400"]  # SYS_ADMIN, NET_BIND_SERVICE
        assert {status[name][0] for name in ("CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"]
        assert not [word for word in status.get("Groups", []) if word]
        for pid in (host.nursery, *host.workers):
            child = proc.status(pid)
            assert child["CapEff"] == child["CapPrm"] == child["CapBnd"] == ["0" * 16]
            assert proc.namespaces(pid)["net"] != proc.namespaces(host.pid)["net"]


def test_it_keeps_no_descriptor_of_a_namespace(tenant, agent):
    with Host(agent, {"one": (OTHER, tenant.proxy)}) as host:
        assert len([what for what in proc.descriptors(host.pid).values() if what.startswith("net:[")]) == 1  # where to come back to


def test_the_service_manager_is_told(tenant, agent, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        under = ["env", "NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000"]
        with Host(agent, {"one": (OTHER, tenant.proxy)}, under=under) as host:
            assert identity(tenant) == OTHER
            heard = [manager.recv(100) for _ in range(4)]
            assert heard.count(b"READY=1") == 1 and heard.count(b"WATCHDOG=1") == 3
            with open("/proc/%d/environ" % host.nursery, "rb") as f:
                assert f.read() == b""
            assert host.stop() == 0
        while (word := manager.recv(100)) == b"WATCHDOG=1":
            pass
        assert word == b"STOPPING=1"


def reload(host):
    """SIGHUP, and wait until that has been done."""
    count = len(host.events("loaded"))
    host.process.send_signal(signal.SIGHUP)
    return wait_for("the files to be read again", lambda: host.event("loaded", count + 1))


@BOTH
def test_a_reload_applies_only_what_differs(agent, options):
    with many_tenants(3) as tenants, Host(agent, **options) as host:
        (one, first), (two, second), (three, third) = tenants.items()
        host.put("one", (one, first.proxy))
        host.put("two", (two, second.proxy))
        assert reload(host)["serving"] == "2"
        assert identity(first) == one and identity(second) == two and refused(third)
        with first.client() as stays, second.client() as goes:
            assert stays.get().status == 200 and goes.get().status == 200
            os.unlink(os.path.join(host.networks, "two.conf"))
            host.put("three", (three, third.proxy, ["169.254.169.254:80", "10.0.0.1:8080"]))
            loaded = reload(host)
            assert (loaded["serving"], loaded["removed"]) == ("2", "1")
            wait_for("the removed network's end", lambda: refused(second))
            assert goes.closed()
            assert identity(third) == three and identity(third, "10.0.0.1", 8080) == three
            host.put("three", (three, third.proxy, ["10.0.0.1:8080"]))
            host.put("one", "[network]\nnetwork_id = %s\nnetns = %s\nrate_limit = 2/60s\n" % (one, first.proxy.name))
            reload(host)
            wait_for("the listener's end", lambda: refused(third))
            assert identity(third, "10.0.0.1", 8080) == three
            statuses = [stays.get().status for _ in range(4)]  # on the connection that it had
            assert statuses[0] == 200 and statuses[-1] == 429
        assert not host.event("worker-died") and not host.event("worker-killed")


def test_a_bad_file_at_a_reload_changes_nothing(tenant, agent):
    with Host(agent, {"one": (OTHER, tenant.proxy)}) as host:
        with tenant.client() as guest:
            assert guest.get().status == 200
            host.put("one", "nonsense\n")
            host.put("two", "[network]\n")
            loaded = reload(host)
            assert (loaded["serving"], loaded["failed"]) == ("1", "1")
            assert guest.get().status == 200
            with open(host.file, encoding="utf-8") as f:
                good = f.read()
            host.write(host.file, good + "[nonsense]\n")
            assert reload(host)["serving"] == "1"
            assert "nonsense" in wait_for("the log line", lambda: host.event("load-failed"))["why"]
            os.rename(host.networks, host.networks + ".away")
            host.write(host.file, good)
            assert reload(host)["serving"] == "1"
            assert guest.get().status == 200
            os.rename(host.networks + ".away", host.networks)
            host.put("one", (OTHER, tenant.proxy))
            os.unlink(os.path.join(host.networks, "two.conf"))
            loaded = reload(host)
            assert (loaded["serving"], loaded["failed"]) == ("1", "0")
            assert guest.get().status == 200
        assert identity(tenant) == OTHER


def test_reloads_under_load_lose_no_request(agent):
    stop = threading.Event()
    with many_tenants(3) as tenants, Host(agent, files(tenants)) as host:
        (identifier, tenant), *others = tenants.items()

        def load(_):
            answered = 0
            while not stop.is_set():
                assert ask(tenant) == 200
                answered += 1
            return answered

        def change(_):
            try:
                for i in range(10):
                    for number, (other, its) in enumerate(others, 1):
                        host.put("network-%d" % number, (other, its.proxy, ["169.254.169.254:%d" % (80 + i)]))
                    reload(host)
            finally:
                stop.set()
            return 1
        assert min(together(lambda job: job(0), [load, load, change])) > 0
        assert identity(others[0][1], port=89) == others[0][0]


@BOTH
@pytest.mark.parametrize("part", ["flood-of-messages", "bad-version", "very-long", "many-descriptors",
                                  "leave-channel", "shut-channel", "serving-again", "leave-before-ready", "die-before-ready",
                                  "no-filter", "unknown-step", "flood-of-failures"])
def test_hostile_workers_are_replaced_and_the_others_stay(agent, options, part):
    hostile = Hostile(part, argument=6, since=2)
    with Crowd(4) as crowd, Host(agent, crowd.files(), tag=hostile.network, under=hostile.under, **options) as host:
        good = min(host.workers)  # the first one of all
        ends = 4
        wait_for("replaced workers", lambda: len(host.events("worker-killed") + host.events("worker-ended") +
                                                 host.events("worker-died")) >= ends)
        assert good in host.workers
        assert proc.status(host.pid)["State"][0] in "SR"
        assert host.stop() == 0


@pytest.mark.measured
def test_a_hundred_workers_start_in_under_5_ms_each(agent):
    with Crowd(100) as crowd, Host(agent, crowd.files(), isolation="network") as host:
        assert len(host.workers) == 100
        memory = statistics.median(anonymous(pid) for pid in host.workers)
        print("anonymous memory of a worker %d kB, of the daemon %d kB" % (memory, anonymous(host.pid)))
        assert memory < 160
        started, worked = [starts(pid) for pid in host.workers], [busy(pid) for pid in host.workers]
        print("100 workers within %d ms; each worked for %.2f ms" % (
            (max(started) - min(started)) * 10, statistics.median(worked)))
        assert statistics.median(worked) < 5  # of a processor: what else the host does is not counted
        with crowd.client(0) as guest:
            assert guest.get().status == 200


def busy(pid):
    """For how many milliseconds has a process run?"""
    with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e6


def starts(pid):
    """When a process was started, in clock ticks."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        return int(f.read().rpartition(")")[2].split()[19])


def anonymous(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))
