"""The metadata agent as it is: untidy, slow, restarted, one at a time. What its guests then get."""
import hashlib
import os
import random
import socket
import threading
import time

import pytest

from harness import Agent, Proxy, Tenant, echo, together, wait_for

CRLF_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# What the agent sends (pauses in seconds), and the status and the body that the guest must get.
TOLERATED = {
    "as it should be": (CRLF_OK, 200, b"ok"),
    "line feeds only": (b"HTTP/1.1 404 Not Found\nContent-Length: 2\n\nno", 404, b"no"),
    "mixed line ends": (b"HTTP/1.1 200 OK\nX: y\r\nContent-Length: 2\n\r\nok", 200, b"ok"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "an empty reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "version 1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nok", 200, b"ok"),
    "until the end, slowly": ([b"HTTP/1.1 200 OK\r\n\r\no", 0.05, b"k"], 200, b"ok"),
    "nothing until the end": (b"HTTP/1.1 200 OK\r\n\r\n", 200, b""),
    "until the end, 1.0": (b"HTTP/1.0 200 OK\r\n\r\nok", 200, b"ok"),
    "cut behind a length of 0": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0", 404, b""),
    "cut behind a length of 0, line feeds": (b"HTTP/1.1 503 Oh\nX: y\nContent-Length: 0", 503, b""),
    "cut behind a line of length 0": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n", 404, b""),
    "a longer body than its length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", 200, b"ok"),
    "a body where there is none": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nbody", 200, b""),
    "one length twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "byte by byte": ([bytes([byte]) for byte in CRLF_OK], 200, b"ok"),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX: y\r\n\r\n", 200, b"ok"),
    "chunked, nothing": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, b""),
    "chunked, byte by byte": (
        [bytes([b]) for b in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"], 200, b"ok"),
    "chunked, and more behind": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200, b"ok"),
    "1xx before": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CRLF_OK, 200, b"ok"),
    "1xx with line feeds, then slowly": ([b"HTTP/1.1 100\n\n", 0.05, CRLF_OK], 200, b"ok"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "204 with a body": (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody", 204, b""),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", 304, b""),
    "hop-by-hop headers": (
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: y\r\nKeep-Alive: x\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "a large head": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 12000 + b"\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
}

# What the agent sends, and the reason that the log gives for the 502.
REFUSED = {
    "no byte": ([], "agent-silent"),
    "half a status line": (b"HTTP/1.1 2", "agent-garbage"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", "agent-garbage"),
    "cut behind a length of 3": (b"HTTP/1.1 200 OK\r\nContent-Length: 3", "agent-garbage"),
    "no HTTP": (b"hello\r\n\r\n", "agent-garbage"),
    "a page without a head": (b"<html>\n<p>no\n</html>\n", "agent-garbage"),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", "agent-garbage"),
    "status 99": (b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n", "agent-garbage"),
    "status 600": (b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n", "agent-garbage"),
    "version 2": (b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", "agent-garbage"),
    "switching protocols": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "agent-garbage"),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "agent-garbage"),
    "length and chunked": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "agent-garbage"),
    "an unknown coding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", "agent-garbage"),
    "a length that is no number": (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", "agent-garbage"),
    "a NUL in the head": (b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n", "agent-garbage"),
    "a bare carriage return": (b"HTTP/1.1 200 OK\r\nX: y\rSet: z\r\nContent-Length: 0\r\n\r\n", "agent-garbage"),
    "a folded header": (b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n", "agent-garbage"),
    "a head without end": ([b"HTTP/1.1 200 OK\r\n"] + [b"X: " + b"y" * 1000 + b"\r\n"] * 20, "agent-garbage"),
    "a bad chunk at once": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "agent-garbage"),
    "only 1xx": (b"HTTP/1.1 100 Continue\r\n\r\n", "agent-garbage"),
}

# Answers that break off within the body, and the reason that the log gives.
CUT = {
    "a shorter body than its length": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", "agent-cut"),
    "no body for its length": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "agent-cut"),
    "cut later": ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 0.05, b"ok"], "agent-cut"),
    "a cut chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", "agent-cut"),
    "no last chunk": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 0.05], "agent-cut"),
    "a bad chunk later": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 0.05, b"zz\r\n"], "agent-garbage"),
}


@pytest.fixture(scope="module")
def place():
    """An agent whose answer is chosen by the first part of the target, in the tables above."""
    def answer(request):
        name = request.target[1:].replace("_", " ")
        for table in (TOLERATED, REFUSED, CUT):
            if name in table:
                return table[name][0]
        return echo(request)

    with Tenant() as tenant, Agent(answer) as agent, Proxy(agent, netns=tenant.proxy) as proxy:
        yield tenant, proxy


def target_of(name):
    return "/" + name.replace(" ", "_")


def log_line_of(proxy, name):
    """The latest log line about the request with this target."""
    return wait_for("its log line", lambda: [e for e in proxy.events("request") if e["target"] == target_of(name)])[-1]


@pytest.mark.parametrize("name", TOLERATED)
def test_an_untidy_answer_is_made_tidy(place, name):
    tenant, proxy = place
    _, status, body = TOLERATED[name]
    with tenant.client() as guest:
        answer = guest.get(target_of(name))
        assert (answer.status, answer.body, answer.whole) == (status, body, True)
        for hop in ("Keep-Alive", "X-Hop", "Upgrade"):
            assert answer.header(hop) is None
        assert guest.get("/next").status == 200
    assert log_line_of(proxy, name)["reason"] == "-"


@pytest.mark.parametrize("name", TOLERATED)
def test_a_head_request_gets_the_same_head_and_no_body(place, name):
    tenant, _ = place
    with tenant.client() as guest:
        assert guest.get(target_of(name), method="HEAD").status == TOLERATED[name][1]
        assert guest.get("/next").status == 200  # nothing of a body is in between


@pytest.mark.parametrize("name", TOLERATED)
def test_a_guest_of_http_1_0_gets_the_answer_and_its_end(place, name):
    tenant, _ = place
    _, status, body = TOLERATED[name]
    with tenant.client() as guest:
        guest.send("GET %s HTTP/1.0\r\n\r\n" % target_of(name))
        answer = guest.answer()
        assert (answer.status, answer.body, answer.whole) == (status, body, True)
        assert answer.header("Transfer-Encoding") is None
        assert answer.header("Connection") == "close"
        assert guest.closed()


@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_that_is_none_becomes_502(place, name):
    tenant, proxy = place
    with tenant.client() as guest:
        answer = guest.get(target_of(name))
        assert answer.status == 502 and answer.whole
        assert guest.get("/next").status == 200  # the guest did nothing wrong
    line = log_line_of(proxy, name)
    assert (line["status"], line["reason"]) == ("502", REFUSED[name][1])


@pytest.mark.parametrize("name", CUT)
def test_a_cut_answer_is_seen_as_cut_by_the_guest(place, name):
    tenant, proxy = place
    with tenant.client() as guest:
        answer = guest.get(target_of(name))
        assert answer.status == 200 and not answer.whole
        assert guest.closed()
    assert log_line_of(proxy, name)["reason"] == CUT[name][1]


def test_an_agent_that_closes_without_reading_is_an_error_of_its_own(tenant):
    class Deaf(Agent):
        def serve(self, connection):
            connection.close()

    with Deaf() as agent, Proxy(agent, netns=tenant.proxy) as proxy, tenant.client() as guest:
        assert guest.get("/x").status == 502
        assert log_line_of(proxy, "x")["reason"] in ("agent-error", "agent-silent")


def body_of(size):
    return random.Random(size).randbytes(size)


def answer_with(size, framing):
    body = body_of(size)
    if framing == "length":
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body
    if framing == "end":
        return b"HTTP/1.1 200 OK\r\n\r\n" + body
    chooser = random.Random(1)
    parts, at = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"], 0
    while at < size:
        piece = body[at:at + chooser.choice((1, 2, 100, 4095, 4096, 16384, 70000))]
        parts.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        at += len(piece)
    return b"".join(parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("reader", ["fast", "slow"])
@pytest.mark.parametrize("framing", ["length", "chunked", "end"])
@pytest.mark.parametrize("size", [65536, 5000000])
def test_large_bodies_arrive_byte_for_byte(tenant, size, framing, reader):
    raw = answer_with(size, framing)
    with Agent(lambda request: raw) as agent, Proxy(agent, netns=tenant.proxy):
        with tenant.client() as guest:
            if reader == "slow":
                guest.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(2):
                answer = guest.get("/large")
                assert answer.status == 200 and answer.whole and len(answer.body) == size
                assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body_of(size)).digest()


def anonymous_memory(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(next(line for line in f if line.startswith("Anonymous:")).split()[1])


def endless(request):
    if request.target == "/small":
        return CRLF_OK
    return [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"] + [bytes(65536)] * 15000


def send_get(guest, target):
    guest.send("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target)


@pytest.mark.measured
def test_a_guest_that_does_not_read_costs_one_buffer_and_holds_nobody_up(tenant):
    with Agent(endless) as agent, Proxy(agent, netns=tenant.proxy) as proxy:
        with tenant.client() as other:
            assert other.get("/small").status == 200
            before = anonymous_memory(proxy.worker)
            stuck = [tenant.client() for _ in range(8)]
            try:
                for guest in stuck:
                    guest.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    send_get(guest, "/large")
                wait_for("the agent to be asked", lambda: len(agent.requests) >= 9)
                source = tenant.more_guests(1)[0]
                with tenant.client(source=source) as third:
                    start = time.monotonic()
                    for _ in range(50):
                        assert third.get("/small").status == 200
                    assert time.monotonic() - start < 2
                assert anonymous_memory(proxy.worker) - before < 8 * 64
            finally:
                for guest in stuck:
                    guest.sock.close()


def test_the_agent_is_let_go_when_the_guest_has_gone(tenant):
    ended = threading.Event()

    class Watching(Agent):
        def serve(self, connection):
            super().serve(connection)
            ended.set()

    with Watching(endless) as agent, Proxy(agent, netns=tenant.proxy):
        with tenant.client() as guest:
            send_get(guest, "/large")
            guest.take(1000)
        assert ended.wait(10)


def test_a_guest_that_takes_nothing_more_is_closed_after_its_time(tenant):
    with Agent(endless) as agent, Proxy(agent, "--timeout-client", "200ms", netns=tenant.proxy) as proxy:
        with tenant.client() as guest:
            guest.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            send_get(guest, "/large")
            assert log_line_of(proxy, "large")["reason"] == "guest-slow"


def test_a_guest_that_reads_little_by_little_is_not_cut(tenant):
    """The kernel tells of room in its buffer only when much of it is free; less must count as progress, too."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20) + bytes(64 << 20)
    with Agent(lambda request: raw) as agent, Proxy(agent, "--timeout-client", "600ms", netns=tenant.proxy) as proxy:
        with tenant.client() as guest:
            guest.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            guest.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            taken, end = 0, time.monotonic() + 4
            while time.monotonic() < end:
                time.sleep(0.05)
                got = len(guest.sock.recv(8192))
                assert got > 0
                taken += got
            assert taken < 1 << 20 and not proxy.events("request")


def test_a_guest_that_takes_its_answer_little_by_little_is_not_slow(tenant):
    raw = answer_with(5000000, "length")
    with Agent(lambda request: raw) as agent, Proxy(agent, "--timeout-client", "700ms", netns=tenant.proxy):
        with tenant.client() as guest:
            guest.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            send_get(guest, "/large")
            taken = b""
            for _ in range(45):  # longer than that time in all
                taken += guest.take(100000)
                time.sleep(0.03)
            guest.buffer = taken + guest.buffer
            answer = guest.answer()
            assert answer.whole and answer.body == body_of(5000000)


@pytest.mark.parametrize("parts, status, reason", [
    ([2.0], 504, "agent-slow"), ([b"HTTP/1.1 200 OK\r\nConte", 2.0], 504, "agent-slow"),
    ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", 2.0], 200, "agent-slow")])
def test_a_slow_agent_is_given_up(tenant, parts, status, reason):
    with Agent(lambda request: parts) as agent:
        with Proxy(agent, "--timeout-server", "200ms", netns=tenant.proxy) as proxy, tenant.client() as guest:
            answer = guest.get("/slow")
            assert answer.status == status
            assert answer.whole == (status == 504)
            line = log_line_of(proxy, "slow")
            assert (line["status"], line["reason"]) == (str(status), reason)
            assert 200 <= int(line["ms"]) < 1500


def test_an_agent_that_sends_little_by_little_is_not_slow(tenant):
    parts = [b"HTTP/1.1 200 OK\r\n", 0.15, b"Content-Length: 4\r\n", 0.15, b"\r\n", 0.15, b"ab", 0.15, b"cd"]
    with Agent(lambda request: parts) as agent:
        with Proxy(agent, "--timeout-server", "400ms", netns=tenant.proxy), tenant.client() as guest:
            assert guest.get("/").body == b"abcd"


def ask_once(tenant, source=None, target="/"):
    with tenant.client(source=source) as guest:
        return guest.get(target)


def serial_agent():
    def answer(request):
        time.sleep(0.02)
        return CRLF_OK
    return Agent(answer, backlog=5, serial=True)


@pytest.mark.parametrize("sources", [1, 20, 100])
def test_100_guests_at_once_get_no_503_from_an_agent_that_serves_one_at_a_time(tenant, sources):
    addresses = tenant.more_guests(sources)
    with serial_agent() as agent, Proxy(agent, netns=tenant.proxy) as proxy:
        answers = together(lambda i: ask_once(tenant, addresses[i % sources]), range(100))
        assert [answer.status for answer in answers] == [200] * 100
        assert agent.connections == 100  # nobody was asked twice
        wait_for("log lines", lambda: len(proxy.events("request")) >= 50)  # a busy machine may lose some
        assert {line["reason"] for line in proxy.events("request")} == {"-"}


def test_requests_of_one_guest_reach_a_busy_agent_in_the_order_in_which_they_came(tenant):
    def answer(request):
        time.sleep(0.005)
        return CRLF_OK

    with Agent(answer, backlog=1, serial=True) as agent:
        with Proxy(agent, "--max-in-flight-per-source", "32", netns=tenant.proxy):
            # Only of connections that it has taken can the worker know which one spoke first.
            clients = [tenant.client() for _ in range(40)]
            assert [client.get().status for client in clients] == [200] * 40
            for i, client in enumerate(clients):
                send_get(client, "/%d" % i)
            for client in clients:
                assert client.answer().status == 200
                client.sock.close()
        assert [request.target for request in agent.requests[40:]] == ["/%d" % i for i in range(40)]


@pytest.mark.measured
def test_a_guest_with_many_requests_waits_for_itself(tenant):
    greedy, modest = tenant.more_guests(2)
    with serial_agent() as agent, Proxy(agent, netns=tenant.proxy):
        clients = [tenant.client(source=greedy) for _ in range(60)]
        for client in clients:
            send_get(client, "/many")
        wait_for("the agent to be busy", lambda: agent.connections >= 2)
        start = time.monotonic()
        assert ask_once(tenant, modest).status == 200
        waited = time.monotonic() - start
        done = agent.connections
        for client in clients:
            assert client.answer().status == 200
            client.sock.close()
    assert done < 30 and waited < 0.6  # those that were at the agent already, not the sixty


def test_an_agent_that_never_accepts_costs_503_after_the_time_in_the_queue(tenant):
    class Hung(Agent):
        def accept(self, sock, wake):
            os.read(wake, 1)

    with Hung(backlog=0) as agent:
        options = ("--timeout-connect", "300ms", "--timeout-server", "600ms")
        with Proxy(agent, *options, netns=tenant.proxy) as proxy:
            answers = together(lambda i: ask_once(tenant, target="/%d" % i), range(5))
            assert sorted(answer.status for answer in answers) == [503, 503, 503, 503, 504]
            for answer in answers:
                assert (answer.header("Retry-After") is not None) == (answer.status == 503)
            lines = wait_for("all log lines", lambda: len(proxy.events("request")) == 5 and proxy.events("request"))
            assert sorted(line["reason"] for line in lines) == ["agent-busy"] * 4 + ["agent-slow"]


def test_an_agent_that_restarts_is_found_again(tenant):
    with Agent() as agent, Proxy(agent, netns=tenant.proxy) as proxy, tenant.client() as guest:
        worker = proxy.worker
        assert guest.get().status == 200
        for count, left_behind in enumerate((True, False, True), 1):
            agent.stop(unlink=not left_behind)
            for _ in range(3):
                answer = guest.get()
                assert answer.status == 503 and int(answer.header("Retry-After")) > 0
            agent.start()
            assert guest.get().status == 200
            wait_for("the log lines", lambda: proxy.event("agent-back", count) and len(proxy.events("request")) == 1 + 4 * count)
            # Once each time, not for each request:
            absent = proxy.events("agent-absent")
            assert len(absent) == count and absent[-1]["error"] == ("ECONNREFUSED" if left_behind else "ENOENT")
        assert proxy.worker == worker
        reasons = [e["reason"] for e in proxy.events("request")]
        assert reasons == ["-"] + (["agent-absent"] * 3 + ["-"]) * 3


def test_the_agent_may_come_after_the_proxy(tenant, tmp_path):
    tmp_path.chmod(0o755)
    with Proxy(str(tmp_path / "metadata_proxy"), netns=tenant.proxy), tenant.client() as guest:
        assert guest.get().status == 503
        with Agent(directory=str(tmp_path)):
            assert guest.get().status == 200
        assert guest.get().status == 503


def test_requests_during_restarts_of_the_agent_are_answered_one_way_or_another(tenant):
    with Agent() as agent, Proxy(agent, netns=tenant.proxy) as proxy:
        stop = threading.Event()

        def ask_on(_):
            statuses = []
            with tenant.client() as guest:
                while not stop.is_set():
                    statuses.append(guest.get().status)
            return statuses

        def restart_on(_):
            for _ in range(20):
                agent.stop(unlink=False)
                agent.start()
            stop.set()
            return [200]

        worker = proxy.worker
        results = together(lambda i: restart_on(i) if i == 0 else ask_on(i), range(5))
        for statuses in results:
            assert set(statuses) <= {200, 502, 503}
        assert ask_once(tenant).status == 200
        assert proxy.worker == worker


# Sanitized workers have the host's root, with the agent's directory in it.
@pytest.mark.parametrize("what", ["socket", pytest.param("directory", marks=pytest.mark.plain)])
def test_an_agent_that_may_not_be_asked_is_told_once_and_found_when_it_may(tenant, what):
    with Agent(mode=0o600 if what == "socket" else 0o666) as agent:
        if what == "directory":
            os.chmod(agent.directory, 0o700)
        with Proxy(agent, netns=tenant.proxy) as proxy, tenant.client() as guest:
            told = proxy.events("agent-socket-forbidden")
            assert [(e["path"], e["by"], e["uid"], e["owner"], e["mode"]) for e in told] == [
                (agent.path, "itself" if what == "socket" else "its-directory", "65534", "0:0",
                 "0600" if what == "socket" else "0700")]
            for _ in range(3):
                answer = guest.get()
                assert answer.status == 503 and answer.header("Retry-After")
            wait_for("the log lines", lambda: len(proxy.events("request")) == 3)
            assert {e["reason"] for e in proxy.events("request")} == {"agent-forbidden"}
            lines = proxy.events("agent-forbidden")
            assert len(lines) == 1
            assert lines[0]["error"] == "EACCES" and "metadata_proxy" in lines[0]["socket"] and lines[0]["advice"]
            os.chmod(agent.directory, 0o755)
            os.chmod(agent.path, 0o666)
            assert guest.get().status == 200
            wait_for("the log line", lambda: proxy.event("agent-back"))


def test_what_is_no_socket_is_an_absent_agent(tenant, tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "metadata_proxy"
    path.write_text("not a socket")
    path.chmod(0o666)
    with Proxy(str(path), netns=tenant.proxy), tenant.client() as guest:
        assert guest.get().status == 503


@pytest.mark.plain
def test_a_link_out_of_the_directory_leads_nowhere(tenant, tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "metadata_proxy"
    with Agent() as agent:
        path.symlink_to(agent.path)
        with Proxy(str(path), netns=tenant.proxy), tenant.client() as guest:
            assert guest.get().status == 503
        assert agent.connections == 0
