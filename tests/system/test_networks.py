"""Many networks in one worker: each guest is stamped, counted, limited and logged as its own network's.

The worker and the nursery are the real ones; many.py stands for the parent. All networks listen at addresses of one
namespace's loopback, so the same source address reaches every one of them.
"""
import json
import time

import pytest

import proc
from harness import SANITIZED, Agent, Client, echo, wait_for
from many import NEUTRON_ROUTER, OVN_NETWORK, Worker, uuid_of
from shared import net  # noqa: F401

HEADERS = ["X-Neutron-Network-ID", "X-Neutron-Router-ID", "X-OVN-Network-ID", "X-OVN-Router-ID"]
IMPOSSIBLE = 36  # STEP_CHANNEL
OWN = 4 if SANITIZED else 3  # descriptors of a worker: channel, log, epoll, and where sanitizers report


def at(number):
    """The address of a network's first listener."""
    return "127.1.%d.%d" % (number // 250, number % 250 + 1)


def setup(net, *networks):
    """The messages for networks that listen in the slot of their number."""
    lines = []
    for number, options in networks:
        lines += [Worker.network(number, **options), Worker.listen(number, number, at(number) + ":80", net)]
    return lines


def serving(net, worker, count=3, **options):
    worker.tell(*setup(net, *((number, options) for number in range(count))))
    worker.serve()


def guest(net, number, source=None):
    return Client(net.connect(at(number), source=source))


def identity(answer):
    """(header, value) of the one identity header that the agent saw."""
    headers = json.loads(answer.body)["headers"]
    found = [(name, value) for name, value in headers if name in HEADERS]
    assert len(found) == 1
    return found[0]


def refused(net, number):
    try:
        net.connect(at(number)).close()
    except ConnectionRefusedError:
        return True
    return False


def in_flight(agent, count):
    wait_for("%d requests at the agent" % count, lambda: len(agent.requests) >= count)


class Held:
    """An agent whose answers wait until they are let go; it knows how many asked."""

    def __init__(self):
        self.free = False
        self.agent = Agent(self.answer)

    def answer(self, request):
        wait_for("leave to answer", lambda: self.free)
        return echo(request)

    def __enter__(self):
        self.agent.__enter__()
        return self

    def __exit__(self, *_):
        self.free = True
        self.agent.__exit__()


def test_each_guest_is_stamped_and_logged_as_its_networks(net, agent):
    with Worker(agent, max_networks=3) as worker:
        worker.tell(*setup(net, (0, {}), (2, {"identity": OVN_NETWORK, "tag": "another"}), (1, {"identity": NEUTRON_ROUTER})))
        worker.serve()
        for _ in range(2):
            for number, header in enumerate(["X-Neutron-Network-ID", "X-Neutron-Router-ID", "X-OVN-Network-ID"]):
                with guest(net, number) as one:
                    assert identity(one.get("/%d" % number)) == (header, uuid_of(number))
        lines = wait_for("the log lines", lambda: len(worker.events("request")) == 6 and worker.events("request"))
        names = ["metaward-" + uuid_of(0), "metaward-" + uuid_of(1), "another"]
        assert [(name, fields["target"]) for name, fields in lines] == [(names[n], '"/%d"' % n) for n in (0, 1, 2)] * 2


def test_lines_of_no_network_have_a_name_of_their_own(net, agent):
    agent.stop()
    with Worker(agent, max_networks=3) as worker:
        serving(net, worker)
        with guest(net, 1) as one:
            assert one.get().status == 503
        (name, _), = wait_for("the line", lambda: worker.events("agent-absent"))
        assert name == "metaward"
        (name, fields), = wait_for("the line", lambda: worker.events("request"))
        assert (name, fields["reason"]) == ("metaward-" + uuid_of(1), "agent-absent")


def test_a_source_is_counted_in_each_network_by_itself(net, agent):
    """One source address, two connections a source: the third one waits, but not one in another network."""
    with Worker(agent, max_networks=3, max_connections_per_source=2) as worker:
        serving(net, worker)
        first = [guest(net, 0) for _ in range(2)]
        for one in first:
            one.send("GET /held HT")  # incomplete: it stays
        parked = guest(net, 0)
        parked.send("GET /parked HTTP/1.1\r\nHost: a\r\n\r\n")
        for number in (1, 2, 1, 2):
            with guest(net, number) as other:
                assert identity(other.get())[1] == uuid_of(number)
        assert not any(request.target == "/parked" for request in agent.requests)
        first[0].sock.close()
        assert identity(parked.answer())[1] == uuid_of(0)


def test_requests_in_flight_are_counted_in_each_network_by_itself(net):
    with Held() as held, Worker(held.agent, max_networks=3, max_in_flight_per_source=1) as worker:
        serving(net, worker)
        guests = [guest(net, number) for number in (0, 0, 1, 2)]
        for one in guests:
            one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        in_flight(held.agent, 3)
        assert sorted(r.header(HEADERS[0]) for r in held.agent.requests) == [uuid_of(n) for n in range(3)]
        held.free = True
        assert [identity(one.answer())[1] for one in guests] == [uuid_of(n) for n in (0, 0, 1, 2)]


def test_rates_are_each_networks_own(net, agent):
    with Worker(agent, max_networks=3) as worker:
        worker.tell(*setup(net, (0, {"rate": (3, 3600)}), (1, {"rate": (5, 3600)}), (2, {})))
        worker.serve()
        for number, passing in ((0, 3), (1, 5), (2, 9)):
            with guest(net, number) as one:
                assert [one.get().status for _ in range(9)] == [200] * passing + [429] * (9 - passing)


def test_a_network_can_be_changed_while_it_is_served(net, agent):
    with Worker(agent, max_networks=2) as worker:
        worker.tell(*setup(net, (0, {"rate": (2, 3600)}), (1, {})))
        worker.serve()
        with guest(net, 0) as one, guest(net, 1) as other:
            assert [one.get().status for _ in range(3)] == [200, 200, 429]
            worker.tell(Worker.network(0, rate=(6, 3600)))
            assert [one.get().status for _ in range(4)] == [200, 200, 200, 429]  # those that were refused count, too
            worker.tell(Worker.network(0, identity=OVN_NETWORK, uuid=uuid_of(77), tag="changed"))
            assert identity(one.get("/changed")) == ("X-OVN-Network-ID", uuid_of(77))
            assert identity(other.get()) == ("X-Neutron-Network-ID", uuid_of(1))
        wait_for("the line", lambda: ("changed", '"/changed"') in
                 [(name, fields["target"]) for name, fields in worker.events("request")])


def test_networks_and_listeners_come_and_go_while_others_are_served(net, agent):
    with Worker(agent, max_networks=3) as worker:
        serving(net, worker, count=1)
        with guest(net, 0) as stays:
            assert stays.get().status == 200
            assert refused(net, 1)
            worker.tell(*setup(net, (1, {})))
            with guest(net, 1) as one:
                assert identity(one.get())[1] == uuid_of(1)
                worker.tell("unlisten 1")
                wait_for("the listener's end", lambda: refused(net, 1))
                assert identity(one.get())[1] == uuid_of(1)
            worker.tell(Worker.listen(1, 1, at(1) + ":80", net), Worker.listen(9, 1, at(200) + ":80", net))
            for where in (1, 200):
                with guest(net, where) as one:
                    assert identity(one.get())[1] == uuid_of(1)
            assert stays.get().status == 200
        assert not worker.events("accept-failed")


def test_what_is_removed_ends_at_once_and_nothing_else(net):
    """In the network that goes: connections that are idle, parked, reading, waiting and at the agent."""
    with Held() as held, Worker(held.agent, max_networks=3, max_connections_per_source=3, max_in_flight_per_source=1) as worker:
        serving(net, worker)
        held.free = True
        idle = {number: guest(net, number, "127.0.0.2") for number in range(3)}
        for one in idle.values():
            assert one.get().status == 200
        held.free = False
        kinds = ["GET /at-the-agent HTTP/1.1\r\nHost: a\r\n\r\n", "GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n", "GET /reading HT",
                 "GET /parked HTTP/1.1\r\nHost: a\r\n\r\n"]
        busy = {number: [guest(net, number) for _ in kinds] for number in range(3)}
        for number in range(3):
            for one, kind in zip(busy[number], kinds):
                one.send(kind)
        in_flight(held.agent, 6)
        worker.tell("remove 1")
        for one in (idle[1], *busy[1]):
            assert one.closed()
        assert refused(net, 1)
        held.free = True
        for number in (0, 2):
            at_agent, waiting, reading, parked = busy[number]
            assert [identity(one.answer())[1] for one in (at_agent, waiting)] == [uuid_of(number)] * 2
            reading.send("TP/1.1\r\nHost: a\r\n\r\n")
            assert identity(reading.answer())[1] == uuid_of(number)
            reading.sock.close()
            assert identity(parked.answer())[1] == uuid_of(number)
            assert idle[number].get().status == 200
        gone = [fields["target"] for name, fields in worker.events("request")
                if name == "metaward-" + uuid_of(1) and fields["reason"] == "network-removed"]
        assert sorted(gone) == ['"/at-the-agent"', '"/waiting"']
        assert "/parked" not in [r.target for r in held.agent.requests if r.header(HEADERS[0]) == uuid_of(1)]


def test_a_number_that_is_free_again_is_another_network(net, agent):
    with Worker(agent, max_networks=1) as worker:
        worker.tell(*setup(net, (0, {"rate": (1, 3600)})))
        worker.serve()
        for round_ in range(5):
            with guest(net, round_) as one:
                assert identity(one.get())[1] == uuid_of(round_)
                assert one.get().status == 429
                worker.tell("remove 0", Worker.network(0, uuid=uuid_of(round_ + 1), rate=(1, 3600)),
                            Worker.listen(0, 0, at(round_ + 1) + ":80", net))
                assert one.closed()
        wait_for("the connections' end", lambda: len(proc.descriptors(worker.pid)) == OWN + 1)


def test_the_source_with_most_connections_gives_way_whatever_its_network(net, agent):
    with Worker(agent, max_networks=3, max_connections=4, max_connections_per_source=4) as worker:
        serving(net, worker)
        many = [guest(net, 0) for _ in range(3)]
        few = guest(net, 1)
        for one in (*many, few):
            assert one.get().status == 200
        with guest(net, 2) as newcomer:
            assert identity(newcomer.get())[1] == uuid_of(2)
        assert many[0].closed()
        for one in (*many[1:], few):
            assert one.get().status == 200
        (name, _), = wait_for("the line", lambda: worker.events("evicted"))
        assert name == "metaward-" + uuid_of(0)


def test_drain_ends_all_networks_and_finishes_what_is_in_flight(net):
    with Held() as held, Worker(held.agent, max_networks=3) as worker:
        serving(net, worker)
        guests = [guest(net, number) for number in range(3)]
        for one in guests:
            one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        in_flight(held.agent, 3)
        worker.tell("drain")
        for number in range(3):
            wait_for("the listener's end", lambda: refused(net, number))  # pylint: disable=cell-var-from-loop
        worker.tell(*setup(net, (0, {})), "unlisten 1", "remove 2")  # orders that cross the drain do no harm
        held.free = True
        assert [identity(one.answer())[1] for one in guests[:2]] == [uuid_of(0), uuid_of(1)]
        assert guests[2].closed()
        assert worker.end() == 0


@pytest.mark.parametrize("orders", [
    ["listen 1 1 127.2.0.1:80 %s"],                                # a network that is not there
    ["listen 1 2 127.2.0.1:80 %s"],                                # one that can't be there
    ["listen 0 0 127.2.0.1:80 %s"],                                # a slot that is taken
    ["listen 16 0 127.2.0.1:80 %s"],                               # a slot beyond the table
    ["network 2 1 " + uuid_of(2) + " - 0 0"],                      # a number beyond the table
    ["remove 1"], ["remove 0", "remove 0"], ["remove 2"], ["remove 16383"],
    ["unlisten 1"], ["unlisten 16383"], ["unlisten 0", "unlisten 0"], ["remove 0", "unlisten 0"],
])
@pytest.mark.parametrize("when", ["before", "while"])
def test_an_impossible_order_ends_the_worker(net, agent, orders, when):
    with Worker(agent, max_networks=2) as worker:
        worker.tell(*setup(net, (0, {})))
        if when == "while":
            worker.serve()
        worker.tell(*(order % net.path if "%s" in order else order for order in orders))
        assert worker.end() == IMPOSSIBLE


def test_two_thousand_networks(net, agent):
    count = 2000
    with Worker(agent, max_networks=count, max_listeners=count) as worker:
        start = time.monotonic()
        serving(net, worker, count=count, rate=(100, 60))
        print("%d networks served after %.2f s" % (count, time.monotonic() - start))
        assert len(proc.descriptors(worker.pid)) == OWN + count
        for number in (0, 1, 999, 1000, 1998, 1999):
            with guest(net, number) as one:
                assert identity(one.get())[1] == uuid_of(number)
        worker.tell(*("remove %d" % number for number in range(1, count)))
        wait_for("the listeners' end", lambda: len(proc.descriptors(worker.pid)) == OWN + 1)
        with guest(net, 0) as one:
            assert identity(one.get())[1] == uuid_of(0)


@pytest.mark.measured
@pytest.mark.plain
def test_an_idle_network_costs_the_worker_little_memory(net, agent):
    def anonymous(pid):
        return next(int(line.split()[1]) for line in proc.read(pid, "smaps_rollup").splitlines() if line.startswith("Anonymous:"))

    count = 2000
    with Worker(agent, max_networks=16384, max_listeners=16384) as worker:
        serving(net, worker, count=1)
        one = anonymous(worker.pid)
        worker.tell(*setup(net, *((number, {}) for number in range(1, count))))
        wait_for("the listeners", lambda: len(proc.descriptors(worker.pid)) == OWN + count)
        each = (anonymous(worker.pid) - one) / (count - 1)
        print("%d kB with one network, %.2f kB more for each" % (one, each))
        assert one < 250 and each < 1
