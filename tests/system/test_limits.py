"""Every limit has its effect, exactly at its number: what reaches it passes, one more does not."""
import glob
import os
import re
import subprocess
import threading

import pytest

from harness import DAEMON, Agent, Client, Proxy, Request, echo, wait_for


class HeldAgent(Agent):
    """An agent that answers when it is told to, and knows how many it was asked at one time."""

    def __init__(self):
        super().__init__(self.wait)
        self.release = threading.Event()

    def wait(self, request):
        self.release.wait(20)
        return echo(request)

    def __exit__(self, *_):
        self.release.set()
        super().__exit__()


def get(target="/", fields=""):
    return ("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (target, fields)).encode()


def status_of(tenant, raw):
    with tenant.client() as guest:
        guest.send(raw)
        return guest.answer().status


def ask_all(clients):
    for i, client in enumerate(clients):
        client.send(get("/%d" % i))


def close_all(clients):
    for client in clients:
        client.sock.close()


def test_max_connections(tenant, agent):
    addresses = tenant.more_guests(4)
    with Proxy(agent, "--max-connections", "3", netns=tenant.proxy) as proxy:
        clients = [tenant.client(source=address) for address in addresses[:3]]
        for client in clients:
            assert client.get().status == 200
        assert not proxy.events("evicted")
        clients.append(tenant.client(source=addresses[3]))
        assert clients[3].get().status == 200
        assert len(wait_for("the log line", lambda: proxy.events("evicted"))) == 1
        close_all(clients)


def test_max_connections_per_source(tenant):
    with HeldAgent() as agent, Proxy(agent, "--max-connections-per-source", "3", netns=tenant.proxy):
        clients = [tenant.client() for _ in range(5)]
        ask_all(clients)
        wait_for("the agent to be asked", lambda: len(agent.requests) == 3)
        other = tenant.client(source=tenant.more_guests(1)[0])
        ask_all([other])
        wait_for("another guest's request", lambda: len(agent.requests) == 4)
        agent.release.set()
        for client in clients + [other]:
            assert client.answer().status == 200
        assert agent.requests[3].target == "/0"
        close_all(clients + [other])


def test_max_in_flight(tenant):
    addresses = tenant.more_guests(7)
    with HeldAgent() as agent, Proxy(agent, "--max-in-flight", "3", netns=tenant.proxy) as proxy:
        clients = [tenant.client(source=address) for address in addresses]
        ask_all(clients)
        wait_for("the agent to be asked", lambda: len(agent.requests) >= 3)
        assert status_of(tenant, b"x\r\n") == 400  # by now the worker has seen all that was sent before
        assert len(agent.requests) == 3
        agent.release.set()
        for client in clients:
            assert client.answer().status == 200
        lines = wait_for("the log lines", lambda: len(proxy.events("request")) == 7 and proxy.events("request"))
        assert len([line for line in lines if line["queue_ms"] != "0"]) <= 4
        close_all(clients)


def test_max_in_flight_per_source(tenant):
    with HeldAgent() as agent, Proxy(agent, "--max-in-flight-per-source", "2", netns=tenant.proxy):
        clients = [tenant.client() for _ in range(6)]
        ask_all(clients)
        wait_for("the agent to be asked", lambda: len(agent.requests) >= 2)
        other = tenant.client(source=tenant.more_guests(1)[0])
        ask_all([other])
        wait_for("another guest's request", lambda: len(agent.requests) == 3)
        agent.release.set()
        for client in clients + [other]:
            assert client.answer().status == 200
        assert len(agent.requests) == 7
        close_all(clients + [other])


def test_as_many_as_the_agent_takes(tenant):
    """Guests that boot together do not wait for each other where the agent serves many at a time."""
    with HeldAgent() as agent, Proxy(agent, netns=tenant.proxy):
        clients = [tenant.client(source=address) for address in tenant.more_guests(20) for _ in range(5)]
        ask_all(clients)
        wait_for("all to be at the agent", lambda: len(agent.requests) == 100)
        agent.release.set()
        for client in clients:
            assert client.answer().status == 200
        close_all(clients)


def test_max_request_line(tenant, agent):
    with Proxy(agent, "--max-request-line", "100", netns=tenant.proxy):
        room = 100 - len("GET / HTTP/1.1")
        assert status_of(tenant, get("/" + "a" * room)) == 200
        assert status_of(tenant, get("/" + "a" * (room + 1))) == 414


def test_max_head(tenant, agent):
    with Proxy(agent, "--max-head", "400", netns=tenant.proxy):
        room = 400 - len(get(fields="X: \r\n"))
        assert status_of(tenant, get(fields="X: %s\r\n" % ("a" * room))) == 200
        assert status_of(tenant, get(fields="X: %s\r\n" % ("a" * (room + 1)))) == 431


def test_max_fields(tenant, agent):
    with Proxy(agent, "--max-fields", "3", netns=tenant.proxy):
        assert status_of(tenant, get(fields="X: y\r\n" * 2)) == 200
        assert status_of(tenant, get(fields="X: y\r\n" * 3)) == 431


def post(body, chunked):
    head = b"POST / HTTP/1.1\r\nHost: x\r\n"
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("chunked", [False, True])
def test_max_body(tenant, agent, chunked):
    with Proxy(agent, "--max-body", "10", netns=tenant.proxy):
        assert status_of(tenant, post(b"b" * 10, chunked)) == 200
        assert status_of(tenant, post(b"b" * 11, chunked)) == 413
    assert [request.body for request in agent.requests] == [b"b" * 10]


def test_no_body_at_all(tenant, agent):
    with Proxy(agent, "--max-body", "0", netns=tenant.proxy):
        assert status_of(tenant, get()) == 200
        assert status_of(tenant, post(b"", False)) == 200
        assert status_of(tenant, post(b"b", False)) == 413
        assert status_of(tenant, post(b"b", True)) == 413


@pytest.mark.parametrize("most", [512, 4096])
@pytest.mark.parametrize("chunked", [False, True])
def test_max_upstream_request_in_bytes_of_head_and_body_together(tenant, agent, most, chunked):
    with Proxy(agent, "--max-upstream-request", str(most), netns=tenant.proxy):
        raw = post(b"b" * (most // 2), chunked)
        assert status_of(tenant, raw) == 200
        raw = raw.replace(b" /", b" /" + b"a" * (most - len(agent.requests[-1].raw)))
        assert status_of(tenant, raw) == 200
        assert len(agent.requests[-1].raw) == most  # in one read of the agent's
        assert status_of(tenant, raw.replace(b" /", b" /a")) == 413


def test_max_upstream_request_without_a_body(tenant, agent):
    with Proxy(agent, "--max-upstream-request", "512", "--forward-headers", "all", netns=tenant.proxy):
        assert status_of(tenant, get()) == 200
        room = 512 - len(agent.requests[-1].raw) - len("Accept: \r\n")
        assert status_of(tenant, get(fields="Accept: %s\r\n" % ("a" * room))) == 200
        assert len(agent.requests[-1].raw) == 512
        assert status_of(tenant, get(fields="Accept: %s\r\n" % ("a" * (room + 1)))) == 431


@pytest.mark.parametrize("methods, allowed", [
    ("GET,HEAD", {"GET", "HEAD"}), ("POST", {"GET", "HEAD", "POST"}), ("PUT,DELETE", {"GET", "HEAD", "PUT", "DELETE"}),
    (None, {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})])
def test_methods(tenant, agent, methods, allowed):
    with Proxy(agent, *(("--methods", methods) if methods else ()), netns=tenant.proxy):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "FOO"):
            with tenant.client() as guest:
                answer = guest.get("x:80" if method == "CONNECT" else "/", method=method)
            if method in allowed:
                assert answer.status == 200
            else:
                assert answer.status == (501 if method in ("get", "FOO") else 405)
                assert set(answer.header("Allow").split(", ")) == allowed


FIELDS = {"User-Agent": "a", "Accept": "b", "Accept-Encoding": "c", "Content-Type": "d", "Metadata": "e",
          "Metadata-Flavor": "f", "X-aws-ec2-metadata-token": "g", "X-aws-ec2-metadata-token-ttl-seconds": "h"}
OTHERS = {"Authorization": "i", "Cookie": "j", "X-Anything": "k", "Range": "l"}


@pytest.mark.parametrize("option, forwarded", [
    (None, FIELDS), ("list", FIELDS), ("all", {**FIELDS, **OTHERS}), ("range,COOKIE", {"Cookie": "j", "Range": "l"})])
def test_forward_headers(tenant, agent, option, forwarded):
    with Proxy(agent, *(("--forward-headers", option) if option else ()), netns=tenant.proxy):
        fields = "".join("%s: %s\r\n" % field for field in {**FIELDS, **OTHERS}.items())
        assert status_of(tenant, get(fields=fields)) == 200
    names = [name for name, _ in agent.requests[0].headers]
    assert names[:3] == ["X-Forwarded-For", "X-Neutron-Network-ID", "Host"] and names[-1] == "Connection"
    assert dict(agent.requests[0].headers[3:-1]) == forwarded


@pytest.mark.parametrize("option, passes", [("list", False), ("all", True)])
def test_listed_headers_are_short_or_dropped(tenant, agent, option, passes):
    with Proxy(agent, "--forward-headers", option, netns=tenant.proxy):
        assert status_of(tenant, get(fields="Accept: %s\r\n" % ("a" * 256))) == 200
        assert status_of(tenant, get(fields="Accept: %s\r\n" % ("a" * 257))) == 200
    assert agent.requests[0].header("Accept") == "a" * 256
    assert agent.requests[1].header("Accept") == ("a" * 257 if passes else None)


class WholeAgent(Agent):
    """An agent that reads until it has the head and Content-Length bytes."""

    def serve(self, connection):
        with connection:
            connection.settimeout(20)
            client = Client(connection)
            head = client.read_until(b"\r\n\r\n")
            request = Request(head + b"\r\n\r\n")
            request.body = client.take(int(request.header("Content-Length") or 0))
            self.requests.append(request)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


LARGEST = ("--max-connections", "16384", "--max-connections-per-source", "16384", "--max-in-flight", "1024",
           "--max-in-flight-per-source", "1024", "--max-request-line", "16384", "--max-head", "32768",
           "--max-fields", "128", "--max-body", "65536", "--max-upstream-request", "131072",
           "--forward-headers", "all")
SMALLEST = ("--max-connections", "1", "--max-connections-per-source", "1", "--max-in-flight", "1",
            "--max-in-flight-per-source", "1", "--max-request-line", "64", "--max-head", "256", "--max-fields", "1",
            "--max-body", "0", "--max-upstream-request", "512")


@pytest.mark.parametrize("chunked", [False, True])
def test_with_every_limit_at_its_largest_the_largest_request_passes(tenant, chunked):
    body = bytes(range(256)) * 256
    raw = post(body, chunked).replace(b" / ", b" /%s " % (b"a" * 16000))
    room = 32768 - raw.index(b"\r\n\r\n") - 4 - 127 * len("X: \r\n")
    fields = b"".join(b"X: %s\r\n" % (b"b" * (room // 127)) for _ in range(125))
    raw = raw.replace(b"Host: x\r\n", b"Host: x\r\n" + fields)
    with WholeAgent() as agent, Proxy(agent, *LARGEST, netns=tenant.proxy), tenant.client() as guest:
        for _ in range(3):
            guest.send(raw + get("/next"))
            assert guest.answer().status == 200
            assert guest.answer().status == 200
        assert [request.body for request in agent.requests] == [body, b""] * 3


def test_with_every_limit_at_its_smallest_a_small_request_passes(tenant, agent):
    with Proxy(agent, *SMALLEST, netns=tenant.proxy):
        for _ in range(3):
            with tenant.client() as guest:
                assert guest.get().status == 200


def test_every_limit_and_every_time_is_tried_in_these_tests():
    shown = subprocess.run([DAEMON, "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--(?:max|timeout)-[a-z-]+", shown))
    assert len(options) >= 14
    tests = ""
    for path in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "test_*.py")):
        with open(path) as f:
            tests += f.read()
    assert not [option for option in options if '"%s"' % option not in tests]
