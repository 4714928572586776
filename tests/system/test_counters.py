"""What a worker counts for its networks is what happened, and costs no message (many.py stands for the parent)."""
import os
import time

import pytest

import proc
from harness import SANITIZED, Agent, Client, echo, wait_for
from many import Worker, uuid_of
from shared import net  # noqa: F401

OK = b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok"


def answer_by_target(request):
    return OK % (b"404 Not Found" if "absent" in request.target else b"503 Busy" if "busy" in request.target else b"200 OK")


@pytest.fixture(scope="module")
def agent():
    with Agent(answer_by_target) as made:
        yield made


def serving(worker, net, **options):
    for number in range(2):
        worker.tell(Worker.network(number, **options), Worker.listen(number, number, "127.1.0.%d:80" % (number + 1), net))
    worker.serve()


def guest(net, number=0):
    return Client(net.connect("127.1.0.%d" % (number + 1)))


def counted(worker, number=0, **expected):
    """Wait until the numbers are these (the last ones are counted after the guest has its answer)."""
    def compare():
        found = worker.counters(number)
        return all(found.get(name, 0) == value for name, value in expected.items()) and found
    try:
        return wait_for("the counters", compare)
    except Exception:
        raise AssertionError("expected %r, counted %r" % (expected, worker.counters(number))) from None


def test_requests_are_counted_by_the_class_of_their_status(net, agent):
    with Worker(agent, counted=2, max_networks=2) as worker:
        serving(worker, net)
        with guest(net) as one:
            for target in ["/", "/a", "/absent", "/busy"] * 2:
                one.get(target)
        with guest(net) as one:
            assert one.get("/", method="BREW").status == 501
        found = counted(worker, connections=2, open=0, class2=4, class4=2, class5=3, class0=0, class1=0, class3=0)
        assert found["method-unknown"] == 1 and found["uuid"] == uuid_of(0)
        assert sum(found[name] for name in found if name.startswith("to")) == 8
        assert counted(worker, 1, connections=0)["uuid"] == uuid_of(1)


def test_what_is_going_on_now(net):
    free = []

    def held(request):
        wait_for("leave to answer", lambda: free)
        return echo(request)
    with Agent(held) as agent, Worker(agent, counted=2, max_networks=2, max_in_flight=2, max_in_flight_per_source=2) as worker:
        serving(worker, net)
        guests = [guest(net) for _ in range(5)]
        idle = guest(net)
        for one in guests:
            one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        counted(worker, connections=6, open=6, in_flight=2, queued=3)
        time.sleep(0.02)
        guests[4].sock.close()
        idle.sock.close()
        free.append(True)
        for one in guests[:4]:
            assert one.answer().status == 200
            one.sock.close()
        found = counted(worker, connections=6, open=0, in_flight=0, queued=0)
        assert found["class2"] + found["class0"] == 5
        assert found["latency_ms"] >= 40 and found["to5"] == 0


def test_attempts_to_spoof_are_counted_by_request(net, agent):
    with Worker(agent, counted=2, max_networks=2) as worker:
        serving(worker, net)
        with guest(net) as one:
            one.get(headers="X-Forwarded-For: 1.2.3.4\r\nX-Neutron-Network-ID: x\r\n")
            one.get(headers="x_ovn_network_id: x\r\n")
            one.get(headers="Accept: a\r\nX-Forwarding: b\r\n")
            one.get()
        counted(worker, class2=4, spoofs=2)


def test_what_is_beyond_a_rate_is_counted(net, agent):
    with Worker(agent, counted=2, max_networks=2) as worker:
        serving(worker, net, rate=(2, 3600))
        with guest(net) as one:
            assert [one.get().status for _ in range(5)] == [200, 200, 429, 429, 429]
        counted(worker, rate_limited=3, class2=2, class4=3, **{"rate-limited": 3})
        counted(worker, 1, rate_limited=0)


def test_what_goes_wrong_is_counted_by_its_reason(net, agent):
    with Worker(agent, counted=2, max_networks=2, max_connections=2, max_connections_per_source=2) as worker:
        serving(worker, net)
        with guest(net) as one:
            one.send("GET / HTTP/1.1\nHost: a\n\n")
            assert one.answer().status == 400
        agent.stop(unlink=False)
        with guest(net) as one:
            assert one.get().status == 503
        agent.start()
        counted(worker, class4=1, class5=1, **{"line-end": 1, "agent-absent": 1})
        many = [guest(net) for _ in range(5)]
        counted(worker, connections=7, open=2, evicted=3)
        for one in many:
            one.sock.close()


def test_a_network_that_comes_in_anothers_place_begins_at_nothing(net, agent):
    with Worker(agent, counted=2, max_networks=2) as worker:
        serving(worker, net)
        with guest(net) as one:
            one.get()
            worker.tell("remove 0")
            assert one.closed()
        assert counted(worker, connections=0, open=0, class2=0)["uuid"] == ""
        worker.tell(Worker.network(0, uuid=uuid_of(7)), Worker.listen(0, 0, "127.1.0.1:80", net))
        with guest(net) as one:
            one.get()
        assert counted(worker, connections=1, open=0, class2=1)["uuid"] == uuid_of(7)


def test_a_network_that_is_changed_goes_on_counting(net, agent):
    with Worker(agent, counted=2, max_networks=2) as worker:
        serving(worker, net)
        with guest(net) as one:
            one.get()
            worker.tell(Worker.network(0, tag="other"))
            one.get()
            counted(worker, connections=1, open=1, class2=2)


def test_a_worker_keeps_no_descriptor_of_it_and_none_of_its_memory_where_it_does_not_count(net, agent):
    for count in (0, 2):
        with Worker(agent, counted=count, max_networks=2) as worker:
            serving(worker, net)
            assert len(proc.descriptors(worker.pid)) == (4 if SANITIZED else 3) + 2
            with open("/proc/%d/maps" % worker.pid, encoding="ascii") as f:
                assert ("metaward-counters" in f.read()) == (count > 0)


@pytest.mark.measured
def test_memory_is_used_only_for_the_networks_there_are(net, agent):
    with Worker(agent, counted=16384, max_networks=16384) as worker:
        serving(worker, net)
        with guest(net) as one:
            one.get()
        with open("/proc/%d/status" % worker.pid, encoding="ascii") as f:
            shared = [int(line.split()[1]) for line in f if line.startswith("RssShmem")][0]
        assert shared <= 2 * os.sysconf("SC_PAGE_SIZE") // 1024
