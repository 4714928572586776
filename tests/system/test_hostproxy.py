"""The host's proxy of Neutron's metadata_path extension: each guest by its own record, and again after SIGHUP."""
import concurrent.futures
import os
import signal
import subprocess
import tempfile
import threading
import time

import pytest

import leftovers
import proc
from devlog import DevLog
from harness import PATIENCE, SANITIZED, TcpAgent, together, wait_for
from hostproxy import PROGRAM, HostProxy, children, configuration, guest, guests, identity_in
from ours import PROTECTED

@pytest.fixture
def server(tenant):
    with TcpAgent(inside=tenant.proxy) as made:
        yield made


@pytest.fixture
def start(tenant, server):
    """Start the proxy for some guests. Its folder is where users without power can get to."""
    with tempfile.TemporaryDirectory(prefix="host-", dir=leftovers.home()) as folder:
        os.chmod(folder, 0o755)
        os.mkdir(folder + "/dev", 0o755)
        with DevLog(folder + "/dev") as devlog:
            yield lambda known: HostProxy(tenant, server, devlog, known, folder)


def known_at(tenant, count):
    return [guest(address, i + 1) for i, address in enumerate(tenant.more_guests(count))]


def test_each_guest_has_the_three_headers_of_its_own_record(tenant, server, start):
    known = known_at(tenant, 10)
    with start(known) as proxy:
        for one in known:
            assert proxy.identity(one.ip) == tuple(one)
        request = server.requests[0].raw.split(b"\r\n")
        assert request[1:5] == [b"X-Forwarded-For: " + known[0].ip.encode(), b"X-Instance-ID: " + known[0].id.encode(),
                                b"X-Tenant-ID: " + known[0].tenant.encode(),
                                b"X-Instance-ID-Signature: " + known[0].signature.encode()]
        assert request[5].startswith(b"Host: ")
        assert together(lambda one: proxy.identity(one.ip), known[:10]) == [tuple(one) for one in known[:10]]


def test_one_listener_serves_both_families(tenant, server, start):
    """A guest's IPv4 address is the same one where it comes mapped into IPv6."""
    known = [*known_at(tenant, 2), guest("fe80::5", 99)]
    with start(configuration(known, "127.0.0.1:%d" % server.port).replace("*:80", ":::80")) as proxy:
        for one in known:
            assert proxy.identity(one.ip) == tuple(one)


SPOOFED = ["X-Instance-ID", "X-Tenant-ID", "X-Instance-ID-Signature", "X-Forwarded-For", "X-Project-ID", "X-Neutron-Network-ID"]


@pytest.mark.parametrize("form", [
    lambda name, value: "%s: %s\r\n" % (name, value), lambda name, value: "%s: %s\r\n" % (name.upper(), value),
    lambda name, value: "%s: %s\r\n" % (name.replace("-", "_"), value), lambda name, value: "%s: %s\r\n" % (name.lower(), value) * 2,
    lambda name, value: "Connection: %s\r\n%s: %s\r\n" % (name, name, value),
    lambda name, value: "User-Agent: x\r\n%s:%s\r\nAccept: y\r\n" % (name, value)], ids=range(6))
def test_no_guest_can_say_who_it_is(tenant, server, start, form):
    known = known_at(tenant, 2)
    mine, other = known
    values = dict(zip(SPOOFED, (other.id, other.tenant, other.signature, other.ip, other.tenant, other.id)))
    with start(known) as proxy:
        for name in SPOOFED:
            answer = proxy.ask(mine.ip, headers=form(name, values[name]))
            assert answer.status == 200 and identity_in(answer) == tuple(mine)
        proxy.ask(mine.ip, "http://169.254.169.254/x", headers="".join(form(name, values[name]) for name in SPOOFED))
        answer = proxy.ask(mine.ip, method="POST", headers="Transfer-Encoding: chunked\r\nTrailer: X-Instance-ID\r\n",
                           body=b"1\r\nx\r\n0\r\nX-Instance-ID: " + other.id.encode() + b"\r\n\r\n")
        assert answer.status == 200 and identity_in(answer) == tuple(mine)
        proxy.ask(mine.ip, headers="X-Instance-ID: %s\r\n folded\r\n" % other.id)
    for request in server.requests:
        assert [name for name, _ in request.headers if PROTECTED.fullmatch(name.lower().replace("_", "-"))] == [
            "X-Forwarded-For", "X-Instance-ID", "X-Tenant-ID", "X-Instance-ID-Signature"]
        assert other.id not in request.raw.decode() and other.signature not in request.raw.decode()


def test_a_guest_without_a_record_is_refused(tenant, server, start):
    known, unknown = known_at(tenant, 1), tenant.more_guests(3)[2]
    with start(known) as proxy:
        answer = proxy.ask(unknown)
        assert answer.status == 503 and answer.header("Retry-After") == "1"
        assert proxy.event("refused")["reason"] == "guest-unknown"
        assert proxy.ask(unknown, method="POST", headers="Content-Length: 3\r\n", body=b"abc").status == 503
        assert proxy.ask(tenant.GUEST, headers="X-Forwarded-For: %s\r\n" % known[0].ip).status == 503
        assert not server.requests
        assert proxy.identity(known[0].ip)


def test_the_monitor_is_answered_to_anyone_by_the_worker_itself(tenant, server, start):
    known, unknown = known_at(tenant, 1), tenant.more_guests(2)[1]
    with start(known) as proxy:
        with proxy.client(unknown) as client:
            for target in ("/monitoruri", "/monitoruri?a=b", "http://x/monitoruri"):
                for method in ("GET", "HEAD"):
                    answer = client.get(target, method=method)
                    assert answer.status == 200 and answer.body == (b"200 OK\n" if method == "GET" else b"")
            client.send("GET /monitoruri HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
            assert [client.answer().status for _ in range(3)] == [200] * 3
            assert client.get("/monitoruri/x").status == 503
        assert proxy.ask(known[0].ip, "/monitoruri").body == b"200 OK\n"
        server.stop()
        assert proxy.ask(unknown, "/monitoruri").status == 200
        server.start()
        assert not server.requests
        assert proxy.ask(known[0].ip, "/monitoruri", method="POST", headers="Content-Length: 0\r\n").status == 200
        assert [request.method for request in server.requests] == ["POST"]
        proxy.event("request")
        assert [e["target"] for name in ("request", "refused") for e in proxy.events(name) if e["target"] != "/monitoruri/x"] == \
            ["/monitoruri"]


def test_statistics_are_not_shown_to_guests(tenant, server, start):
    known = known_at(tenant, 1)
    with start(known) as proxy:
        for target in ("/admin/stats", "/admin/stats/", "/admin/stats;csv", "/admin/stats?x", "http://a/admin/stats/b"):
            with proxy.client(known[0].ip) as client:
                assert client.get(target).status == 403
                assert client.get("/latest").status == 200  # on the same connection
        assert len(server.requests) == 5 and {r.target for r in server.requests} == {"/latest"}
        assert {e["reason"] for e in proxy.events("refused")} == {"stats"}
        assert proxy.ask(known[0].ip, "/admin/statistics").status == 200


def test_a_file_without_a_guest_is_served_and_filled_later(tenant, server, start):
    known = known_at(tenant, 1)
    with start([]) as proxy:
        assert proxy.identity(known[0].ip) is None
        assert proxy.ask(known[0].ip, "/monitoruri").status == 200
        assert proxy.reload(known)["instances"] == "1"
        assert "server" in proxy.event("restart-needed")["changed"]
        assert proxy.ask(known[0].ip).status == 503 and not server.requests


def test_thousands_of_guests(tenant, server, start):
    """In two networks of addresses: a few that ask, and many others."""
    known = known_at(tenant, 300) + guests(4700)
    began = time.monotonic()
    with start(known) as proxy:
        if not SANITIZED:
            assert time.monotonic() - began < 5
        for one in known[:300:50]:
            assert proxy.identity(one.ip) == tuple(one)
        assert proxy.identity(tenant.more_guests(301)[300]) is None


class Load:
    """Guests that ask over and over, each on one connection that must never break off."""

    def __init__(self, proxy, sources):
        self.proxy, self.ended, self.seen = proxy, threading.Event(), {source: [] for source in sources}
        self.pool = concurrent.futures.ThreadPoolExecutor(len(sources))
        self.tasks = [self.pool.submit(self.go_on, source) for source in sources]

    def go_on(self, source):
        with self.proxy.client(source) as client:
            while not self.ended.is_set():
                answer = client.get("/" + str(len(self.seen[source])))
                assert answer is not None and answer.status == 200, "request %d of %s" % (len(self.seen[source]), source)
                self.seen[source].append(identity_in(answer))

    def __enter__(self):
        return self

    def until(self, source, identity):
        wait_for("%s as %s" % (source, identity[1]), lambda: self.broken() or self.seen[source][-1:] == [identity])
        assert not self.broken()

    def broken(self):
        return [task for task in self.tasks if task.done()]

    def __exit__(self, *_):
        self.ended.set()
        for task in self.tasks:
            task.result(PATIENCE)
        self.pool.shutdown()


def test_a_reload_drops_no_connection_and_fails_no_request(tenant, server, start):
    known = known_at(tenant, 10)
    steady, changing, newcomer, leaving = known[:6], known[6], known[8], known[9]
    others = guests(1000)
    with start([*steady, changing, leaving, *others]) as proxy, Load(proxy, [one.ip for one in [*steady, changing]]) as load:
        assert proxy.identity(newcomer.ip) is None and proxy.identity(leaving.ip) == tuple(leaving)
        for i in range(5):
            changed = guest(changing.ip, 1000 + i)
            assert proxy.reload([*steady, changed, newcomer, *others])["instances"] == "1008"
            load.until(changing.ip, tuple(changed))
            assert proxy.identity(newcomer.ip) == tuple(newcomer) and proxy.identity(leaving.ip) is None
            assert proxy.reload([*steady, changed, leaving, *others])["instances"] == "1008"
            wait_for("the newcomer to leave", lambda: proxy.identity(newcomer.ip) is None)
            assert proxy.identity(leaving.ip) == tuple(leaving)
        assert all(len(load.seen[one.ip]) > 10 for one in steady)
        assert not proxy.events("worker-died") and not proxy.events("worker-killed")
    for one in steady:
        assert set(load.seen[one.ip]) == {tuple(one)}
    assert not proxy.events("restart-needed")


def test_the_last_of_many_files_is_the_one_that_holds(tenant, start):
    mine = known_at(tenant, 1)[0]
    others = guests(2000)
    with start([mine, *others]) as proxy:
        for number in range(20, 60):
            proxy.write([guest(mine.ip, number), *others])
            os.kill(proxy.pid, signal.SIGHUP)
        wait_for("the last file", lambda: proxy.identity(mine.ip) == tuple(guest(mine.ip, 59)))
        assert proxy.ask(mine.ip).status == 200 and not proxy.events("reload-failed")


def broken_files(known, server):
    good = configuration(known, server)
    line = good[:good.index("acl instance")].count("\n") + 1
    yield "address", good.replace("src " + known[0].ip, "src 10.0.0.0/8"), line, "'10.0.0.0/8'"
    yield "cut", good[:-30], None, None
    yield "empty", "", 0, "-"
    yield "binary", "\0" * 1000, 1, None
    yield "header", good.replace("X-Tenant-ID", "X-Project-ID"), None, "'X-Project-ID'"
    yield "twice", configuration([known[0], *known], server), None, None
    yield "large", good + "#" * (1 << 24) + "\n", None, None


def test_a_file_that_is_not_good_changes_nothing(tenant, start):
    known = known_at(tenant, 2)
    with start(known) as proxy:
        for name, text, line, word in broken_files([guest(known[0].ip, 77)], proxy.server):
            failed = proxy.reload(text, "reload-failed")
            assert failed["file"] == proxy.path, name
            assert line is None or failed["line"] == str(line), (name, failed)
            assert word is None or failed["word"] == word, (name, failed)
            assert [proxy.identity(one.ip) for one in known] == [tuple(one) for one in known], name
        os.unlink(proxy.path)
        assert proxy.reload(None, "reload-failed")["error"] == "ENOENT"
        os.symlink("/etc/passwd", proxy.path)
        assert proxy.reload(None, "reload-failed")["error"] == "ELOOP"
        os.unlink(proxy.path)
        os.mkfifo(proxy.path)
        assert proxy.reload(None, "reload-failed")["error"] == "EINVAL"
        os.unlink(proxy.path)
        assert proxy.identity(known[0].ip) == tuple(known[0])
        assert proxy.reload([guest(known[0].ip, 77)])["instances"] == "1"
        wait_for("the good file", lambda: proxy.identity(known[0].ip) == tuple(guest(known[0].ip, 77)))
        assert proxy.identity(known[1].ip) is None


def test_what_cannot_change_is_told_and_the_guests_are_taken(tenant, start):
    known = known_at(tenant, 2)
    with start(known[:1]) as proxy:
        text = configuration(known, "127.0.0.2:1").replace("*:80", "*:81").replace("user        nobody", "user        daemon")
        assert proxy.reload(text)["instances"] == "2"
        assert proxy.event("restart-needed")["changed"] == "bind,server,user,settings"
        wait_for("the second guest", lambda: proxy.identity(known[1].ip) == tuple(known[1]))


def test_the_next_worker_has_the_table_that_holds(tenant, start):
    known = known_at(tenant, 3)
    with start(known[:1]) as proxy:
        proxy.reload(known[1:])
        wait_for("the new table", lambda: proxy.identity(known[1].ip))
        before = proxy.worker
        os.kill(before, signal.SIGKILL)
        proxy.event("serving", 2)
        assert proxy.worker != before
        assert [proxy.identity(one.ip) for one in known] == [None, tuple(known[1]), tuple(known[2])]


def test_a_worker_that_takes_no_instances_is_replaced(tenant, start):
    """It is stopped; the channel holds less than the table."""
    known = known_at(tenant, 2)
    with start(known[:1]) as proxy:
        os.kill(proxy.worker, signal.SIGSTOP)
        proxy.write([*known, *guests(8000)])
        os.kill(proxy.pid, signal.SIGHUP)
        assert "instances" in proxy.event("worker-killed")["why"]
        proxy.event("serving", 2)
        assert [proxy.identity(one.ip) for one in known] == [tuple(one) for one in known]


def catch_reader(proxy, number):
    """Send a signal to the next reader that the nursery starts."""
    worker = proxy.worker
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for pid in children(proxy.nursery):
            if pid != worker:
                os.kill(pid, number)
                return pid
    raise AssertionError("no reader was seen")


@pytest.mark.parametrize("number, error", [(signal.SIGKILL, "ECONNRESET"), (signal.SIGSTOP, "ETIMEDOUT")])
def test_a_reader_that_fails_leaves_the_old_table(tenant, start, number, error):
    known = known_at(tenant, 2)
    with start(known[:1]) as proxy:
        proxy.write([*known, *guests(15000)])
        os.kill(proxy.pid, signal.SIGHUP)
        caught = catch_reader(proxy, number)
        assert proxy.event("reload-failed")["error"] == error
        wait_for("the reader's end", lambda: caught not in children(proxy.nursery))
        assert [proxy.identity(one.ip) for one in known] == [tuple(known[0]), None]
        proxy.reload(known)
        wait_for("the new table", lambda: proxy.identity(known[1].ip) == tuple(known[1]))


def test_the_file_is_opened_without_power(tenant, start):
    """With the rights of the user that owns the pid file's directory, as the parent has them by then."""
    known = known_at(tenant, 2)
    proxy = start(known[:1])
    os.mkdir(proxy.folder + "/pids")
    os.chown(proxy.folder + "/pids", 65534, 65534)
    proxy.pid_file = proxy.folder + "/pids/host.pid"
    with proxy:
        proxy.write(known)
        os.chmod(proxy.path, 0o600)
        assert proxy.reload(None, "reload-failed")["error"] == "EACCES"
        os.chown(proxy.path, 65534, 65534)
        assert proxy.reload()["instances"] == "2"


def test_the_reader_that_the_nursery_starts_is_confined(tenant, start):
    with start(known_at(tenant, 1)) as proxy:
        proxy.write(guests(16000))
        os.kill(proxy.pid, signal.SIGHUP)
        pid = catch_reader(proxy, signal.SIGSTOP)
        facts = proc.status(pid)
        assert facts["Uid"] == proc.status(proxy.worker)["Uid"] and "0" not in facts["Uid"]
        assert set(facts["CapEff"] + facts["CapPrm"] + facts["CapBnd"]) == {"0000000000000000"} and facts["NoNewPrivs"] == ["1"]
        assert facts["Seccomp"] == ["2"]
        assert proc.namespaces(pid) == proc.namespaces(proxy.nursery)
        assert "/metaward/metaward-" not in "".join(
            name for fd, name in proc.descriptors(pid).items() if fd > 3)
        os.kill(pid, signal.SIGKILL)


def test_a_drain_is_not_disturbed_by_a_reload(tenant, server, start):
    known = known_at(tenant, 1)
    with start(known) as proxy:
        server.answer = lambda request: [0.5, b"HTTP/1.1 204 No Content\r\n\r\n"]
        with proxy.client(known[0].ip) as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_for("the request", lambda: server.requests)
            os.kill(proxy.pid, signal.SIGQUIT)
            os.kill(proxy.pid, signal.SIGHUP)
            assert client.answer().status == 204
        assert proxy.process.wait(PATIENCE) == 0
        assert not proxy.events("reloaded")


def test_the_agents_way_to_start_it(tenant, server, start):
    """In the background, with the pid file by -p only; SIGHUP goes to the process of the pid file."""
    known = known_at(tenant, 2)
    proxy = start(known[:1])
    done = subprocess.run(["ip", "netns", "exec", tenant.proxy.name, "env", "PROCESS_TAG=haproxy-host_metadata_proxy",
                           *proxy.devlog.under, PROGRAM, "-f", proxy.path, "-p",
                           proxy.pid_file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False, timeout=PATIENCE)
    assert done.returncode == 0
    with open(proxy.pid_file, encoding="ascii") as f:
        pid = int(f.read())
    try:
        proxy.write(known)
        os.kill(pid, signal.SIGHUP)
        wait_for("the second guest", lambda: proxy.identity(known[1].ip) == tuple(known[1]))
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for("its end", lambda: not os.path.exists(proxy.pid_file))
