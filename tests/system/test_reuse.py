"""Connections to the agent that outlive a request: when they may, whose they are, what ends them."""
import contextlib
import json
import signal
import threading

import pytest

from harness import PATIENCE, Agent, Client, Namespace, Proxy, Request, Tenant, echo, together, wait_for
from many import Worker, uuid_of

REUSE = "--upstream-reuse"


class KeepingAgent(Agent):
    """An agent that goes on with a connection; `asked` holds (number of the connection, request)."""

    def __init__(self, *arguments, requests_each=1000, **named):
        super().__init__(*arguments, **named)
        self.requests_each, self.asked, self.ended, self.open = requests_each, [], set(), {}

    def serve(self, connection):
        with self.lock:
            number = self.connections
            self.connections += 1
            self.open[number] = connection
        with connection, contextlib.suppress(OSError):
            connection.settimeout(PATIENCE)
            for _ in range(self.requests_each):
                data = connection.recv(4096)
                if not data:
                    break
                with self.lock:
                    self.requests.append(Request(data))
                    request = self.requests[-1]
                    self.asked.append((number, request))
                for part in self.parts(request):
                    connection.sendall(part)
        self.ended.add(number)

    def parts(self, request):
        parts = self.answer(request)
        return parts if isinstance(parts, list) else [parts]


@pytest.fixture
def tenant():
    with Tenant() as made:
        yield made


@contextlib.contextmanager
def serving(tenant, agent, *options):
    with agent, Proxy(agent, REUSE, *options, netns=tenant.proxy, listen=["169.254.169.254:80"]):
        yield


def answer(body=b"x", status="200 OK", headers="", version="1.1"):
    return ("HTTP/%s %s\r\nContent-Length: %d\r\n%s\r\n" % (version, status, len(body), headers)).encode() + body


def numbers(agent):
    return [number for number, _ in agent.asked]


def test_requests_of_a_network_share_a_connection(tenant):
    agent = KeepingAgent()
    with serving(tenant, agent):
        with tenant.client() as first:
            assert [first.get("/%d" % i).status for i in range(3)] == [200] * 3
        with tenant.client() as second:
            assert json.loads(second.get("/other").body)["target"] == "/other"
        assert numbers(agent) == [0] * 4
        assert all(request.header("Connection") is None for _, request in agent.asked)


def test_without_the_option_every_request_has_its_own(tenant):
    with KeepingAgent() as agent, Proxy(agent, netns=tenant.proxy, listen=["169.254.169.254:80"]):
        with tenant.client() as client:
            assert client.get().status == client.get().status == 200
        assert numbers(agent) == [0, 1]
        assert agent.asked[0][1].header("Connection") == "close"


@pytest.mark.parametrize("made", [
    answer(headers="Connection: close\r\n"),
    answer(headers="Connection: keep-alive, Close\r\n"),
    answer(version="1.0"),
    answer() + b"y",
    answer() + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" + b"more",
    b"HTTP/1.1 204 No Content\r\n\r\nsurplus",
], ids=["close", "close-in-a-list", "1.0", "one-byte-more", "another-answer", "more-than-chunks", "body-where-none-is"])
def test_an_answer_that_does_not_end_cleanly_ends_its_connection(tenant, made):
    agent = KeepingAgent(lambda _: made)
    with serving(tenant, agent):
        with tenant.client() as client:
            for _ in range(3):
                assert client.get().body in (b"x", b"")
        assert numbers(agent) == [0, 1, 2]


@pytest.mark.parametrize("made", [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    [b"HTTP/1.1 200 OK\r\nContent-", b"Length: 3\r\n\r\nx", b"yz"],
], ids=["chunked", "empty", "no-content", "in-pieces"])
def test_an_answer_that_ends_cleanly_leaves_its_connection(tenant, made):
    agent = KeepingAgent(lambda _: made)
    with serving(tenant, agent):
        with tenant.client() as client:
            for _ in range(3):
                client.get()
        assert numbers(agent) == [0] * 3


def test_what_is_said_on_an_idle_connection_is_nobodys_answer(tenant):
    agent = KeepingAgent(lambda _: answer(b"mine"))
    with serving(tenant, agent):
        with tenant.client() as client:
            assert client.get().body == b"mine"
            agent.open[0].sendall(answer(b"poison"))
            wait_for("the connection's end", lambda: 0 in agent.ended)
            assert client.get().body == b"mine"
        assert numbers(agent) == [0, 1]


class LateAgent(KeepingAgent):
    """Sends a body behind its answer to HEAD, where none may be, and not before the connection's next request."""

    def parts(self, request):
        poison, mine = answer(b"poison"), answer(b"mine")
        if request.method == "HEAD":
            return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(poison)]
        number = self.asked[-1][0]
        return [poison + mine] if any(n == number and r.method == "HEAD" for n, r in self.asked) else [mine]


def test_a_late_body_of_an_answer_to_head_is_nobodys_answer(tenant):
    agent = LateAgent()
    with serving(tenant, agent):
        with tenant.client() as one, tenant.client() as other:
            assert one.get(method="HEAD").status == 200
            assert other.get().body == b"mine"
        assert numbers(agent) == [0, 1]


def test_an_agent_that_closes_behind_each_answer_is_asked_anew(tenant):
    """It does not say so: now and then a request is on its way already, and is sent again."""
    agent = KeepingAgent(requests_each=1)
    with serving(tenant, agent):
        with tenant.client() as client:
            for i in range(200):
                assert json.loads(client.get("/%d" % i).body)["target"] == "/%d" % i


def test_a_request_that_changes_something_never_goes_on_an_old_connection(tenant):
    agent = KeepingAgent()
    with serving(tenant, agent):
        with tenant.client() as client:
            assert client.get().status == 200
            assert client.get("/openstack/2013-04-04/password", "POST", "Content-Length: 6\r\n", b"secret").status == 200
            assert client.get().status == 200
        assert len(set(numbers(agent)[:2])) == 2
        assert numbers(agent)[2] in numbers(agent)[:2]


def test_a_lost_connection_is_no_second_chance_for_ever(tenant):
    """An agent that ends every connection at the request: the second one fails, as without reuse."""
    agent = KeepingAgent(requests_each=1, answer=lambda _: [])
    with serving(tenant, agent):
        with tenant.client() as client:
            assert client.get().status == 502
        assert numbers(agent) == [0]


def test_there_are_never_more_connections_than_requests_may_be_in_flight(tenant):
    gate = threading.Event()
    agent = KeepingAgent(lambda request: gate.wait(PATIENCE) and echo(request))
    with serving(tenant, agent, "--max-in-flight", "4", "--max-in-flight-per-source", "4"):
        def ask(number):
            with tenant.client() as client:
                return client.get("/%d" % number).status
        with contextlib.ExitStack() as stack:
            stack.callback(gate.set)
            release = threading.Timer(0.2, gate.set)
            release.start()
            assert together(ask, range(20)) == [200] * 20
            release.join()
        assert agent.connections <= 4


def test_an_idle_connection_is_given_back(tenant):
    agent = KeepingAgent()
    with serving(tenant, agent):
        with tenant.client() as client:
            assert client.get().status == 200
            wait_for("the connection's end", lambda: 0 in agent.ended)
            assert client.get().status == 200
        assert numbers(agent) == [0, 1]


def test_a_drain_ends_idle_connections(tenant):
    agent = KeepingAgent()
    with agent:
        proxy = Proxy(agent, REUSE, netns=tenant.proxy, listen=["169.254.169.254:80"]).start()
        with tenant.client() as client:
            assert client.get().status == 200
        assert proxy.stop(signal.SIGQUIT) == 0
        wait_for("the connection's end", lambda: 0 in agent.ended)


def test_networks_never_share(tenant):
    del tenant
    agent = KeepingAgent()
    with Namespace() as net, agent, Worker(agent, max_networks=2, max_listeners=2, upstream_reuse=1) as worker:
        for number in range(2):
            worker.tell(Worker.network(number), Worker.listen(number, number, "127.1.0.%d:80" % (number + 1), net))
        worker.serve()

        def asks(number, count):
            with Client(net.connect("127.1.0.%d" % (number + 1))) as client:
                return [client.get().status for _ in range(count)]
        assert asks(0, 2) + asks(1, 2) + asks(0, 1) == [200] * 5
        whose = {}
        for number, request in agent.asked:
            whose.setdefault(number, set()).add(request.header("X-Neutron-Network-ID"))
        assert whose == {0: {uuid_of(0)}, 1: {uuid_of(1)}}
        worker.tell("remove 0")
        wait_for("its connection's end", lambda: 0 in agent.ended)
        assert 1 not in agent.ended and asks(1, 1) == [200]


def test_a_slow_guest_keeps_nobody_from_a_connection(tenant):
    """The answer is whole here, and the connection the next one's, though the guest has not taken it yet."""
    big = b"b" * 30000
    agent = KeepingAgent(lambda _: answer(big))
    with serving(tenant, agent):
        with tenant.client() as slow, tenant.client() as other:
            slow.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_for("the request", lambda: agent.asked)
            assert other.get().body == big
            assert slow.answer().body == big
