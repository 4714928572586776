"""How it ends: SIGTERM at once, SIGQUIT after the requests that are under way, and nothing stays behind."""
import contextlib
import os
import signal
import threading
import time

import pytest

from harness import Agent, Proxy, echo, wait_for

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class HeldAgent(Agent):
    """An agent that answers when it is told to."""

    def __init__(self):
        super().__init__(self.wait)
        self.release = threading.Event()

    def wait(self, request):
        self.release.wait(20)
        return echo(request)

    def __exit__(self, *_):
        self.release.set()
        super().__exit__()


def is_refused(tenant):
    """Is a newcomer refused?"""
    try:
        tenant.client().sock.close()
    except ConnectionRefusedError:
        return True
    return False


def begin_drain(proxy, tenant):
    proxy.process.send_signal(signal.SIGQUIT)
    wait_for("newcomers to be refused", lambda: is_refused(tenant))


def all_processes(proxy):
    return [proxy.pid, proxy.nursery, proxy.worker]


def assert_nothing_is_left(pids):
    for pid in pids:
        assert not os.path.exists("/proc/%d" % pid)


# SIGQUIT


def test_a_request_at_the_agent_is_finished(tenant):
    with HeldAgent() as agent:
        proxy = Proxy(agent, netns=tenant.proxy).start()
        pids = all_processes(proxy)
        with tenant.client() as guest:
            guest.send(GET)
            wait_for("the agent to be asked", lambda: agent.requests)
            begin_drain(proxy, tenant)
            agent.release.set()
            answer = guest.answer()
            assert answer.status == 200 and answer.whole and answer.header("Connection") == "close"
            assert guest.closed()
        assert proxy.process.wait(10) == 0
        assert_nothing_is_left(pids)
        proxy.reader.join(10)


def test_requests_that_wait_for_the_agent_are_finished_too(tenant):
    with HeldAgent() as agent:
        proxy = Proxy(agent, "--max-in-flight", "2", netns=tenant.proxy).start()
        guests = [tenant.client() for _ in range(10)]
        for guest in guests:
            guest.send(GET)
        wait_for("the agent to be asked", lambda: len(agent.requests) == 2)
        with tenant.client() as last:  # by its answer the worker has read all that was sent before
            last.send("x\r\n")
            assert last.answer().status == 400
        begin_drain(proxy, tenant)
        agent.release.set()
        for guest in guests:
            assert guest.answer().status == 200
            guest.sock.close()
        assert proxy.process.wait(10) == 0


def test_a_large_answer_is_finished(tenant):
    body = bytes(range(256)) * 20000
    with Agent(lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as agent:
        proxy = Proxy(agent, netns=tenant.proxy).start()
        with tenant.client() as guest:
            guest.send(GET)
            guest.take(0)
            wait_for("the agent to be asked", lambda: agent.requests)
            begin_drain(proxy, tenant)
            answer = guest.answer()
            assert answer.whole and answer.body == body
        assert proxy.process.wait(10) == 0


def test_an_answer_of_our_own_says_that_it_is_the_last(tenant):
    with HeldAgent() as agent:
        agent.answer = lambda request: agent.release.wait(20) and b"nonsense"
        proxy = Proxy(agent, netns=tenant.proxy).start()
        with tenant.client() as guest:
            guest.send(GET)
            wait_for("the agent to be asked", lambda: agent.requests)
            begin_drain(proxy, tenant)
            agent.release.set()
            answer = guest.answer()
            assert answer.status == 502 and answer.header("Connection") == "close"
            assert guest.closed()
        assert proxy.process.wait(10) == 0


def test_idle_and_silent_connections_are_closed_at_once(tenant, agent):
    proxy = Proxy(agent, netns=tenant.proxy).start()
    with tenant.client() as idle, tenant.client() as silent:
        assert idle.get().status == 200
        silent.send("\r\n")
        proxy.process.send_signal(signal.SIGQUIT)
        assert idle.closed() and not idle.reset
        assert silent.closed() and not silent.reset
    assert proxy.process.wait(10) == 0


def test_a_request_that_is_not_whole_is_refused_with_503(tenant, agent):
    proxy = Proxy(agent, netns=tenant.proxy).start()
    with tenant.client() as head, tenant.client() as body:
        head.send("GET / HTTP/1.1\r\n")
        body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        with tenant.client() as last:
            assert last.get().status == 200
        proxy.process.send_signal(signal.SIGQUIT)
        for guest in (head, body):
            answer = guest.answer()
            assert answer.status == 503 and answer.header("Retry-After") and answer.header("Connection") == "close"
    assert proxy.process.wait(10) == 0
    proxy.reader.join(10)
    assert {e["reason"] for e in proxy.events("refused")} == {"draining"}


def test_a_guest_that_does_not_read_ends_the_drain_after_its_time(tenant):
    with Agent(lambda request: [b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"] + [bytes(65536)] * 1000) as agent:
        proxy = Proxy(agent, "--timeout-client", "300ms", netns=tenant.proxy).start()
        with tenant.client() as guest:
            guest.send(GET)
            wait_for("the agent to be asked", lambda: agent.requests)
            proxy.process.send_signal(signal.SIGQUIT)
            assert proxy.process.wait(10) == 0


def test_a_successor_can_take_the_address_while_the_old_one_finishes(tenant):
    with HeldAgent() as agent, Agent() as other:
        old = Proxy(agent, netns=tenant.proxy).start()
        with tenant.client() as guest:
            guest.send(GET)
            wait_for("the agent to be asked", lambda: agent.requests)
            begin_drain(old, tenant)
            with Proxy(other, netns=tenant.proxy), tenant.client() as newcomer:
                assert newcomer.get().status == 200
            agent.release.set()
            assert guest.answer().status == 200
        assert old.process.wait(10) == 0


def test_sigterm_cuts_a_drain_short(tenant):
    with HeldAgent() as agent:
        proxy = Proxy(agent, netns=tenant.proxy).start()
        with tenant.client() as guest:
            guest.send(GET)
            wait_for("the agent to be asked", lambda: agent.requests)
            begin_drain(proxy, tenant)
            proxy.process.send_signal(signal.SIGTERM)
            proxy.process.wait(5)
            assert guest.answer() is None


def test_under_load_every_request_that_was_taken_is_answered(tenant, agent):
    """Guests with connections of their own for each request, until they are refused."""
    proxy = Proxy(agent, netns=tenant.proxy).start()
    outcomes = []

    def load():
        while True:
            try:
                with tenant.client() as guest:
                    answer = guest.get()
            except ConnectionRefusedError:
                return
            except (BrokenPipeError, ConnectionResetError):
                answer = None
            outcomes.append(answer.status if answer else None)
            assert answer is None or answer.whole

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for("requests", lambda: len(outcomes) > 100)
    proxy.process.send_signal(signal.SIGQUIT)
    for thread in threads:
        thread.join(20)
    assert proxy.process.wait(10) == 0
    assert outcomes.count(None) <= len(threads)  # those that were just being accepted
    assert set(outcomes) <= {200, 503, None}


# SIGTERM


def stopped_within(proxy, number=signal.SIGTERM):
    start = time.monotonic()
    proxy.process.send_signal(number)
    assert proxy.process.wait(10) == 0
    return time.monotonic() - start


def end_within_100_ms(start, number=signal.SIGTERM):
    """Start a proxy and end it. A busy machine may need more than one try to show how fast that is."""
    taken = []
    while not taken or min(taken) >= 0.1:
        assert len(taken) < 4, taken
        proxy = start()
        pids = all_processes(proxy)
        taken.append(stopped_within(proxy, number))
        assert_nothing_is_left(pids)


@pytest.mark.measured
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_100_ms_when_nothing_is_to_be_done(tenant, agent, number):
    end_within_100_ms(lambda: Proxy(agent, netns=tenant.proxy).start(), number)


@pytest.mark.measured
def test_it_ends_within_100_ms_with_connections_of_every_kind(tenant):
    release = threading.Event()
    guests = []

    def answer(request):
        if request.target == "/large":
            return [b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"] + [bytes(65536)] * 1000
        if request.target == "/slow":
            release.wait(20)
        return echo(request)

    def start():
        asked = len(agent.requests)
        proxy = Proxy(agent, netns=tenant.proxy).start()
        for i in range(60):
            guests.append(tenant.client())
            guests[-1].send([b"", b"GET / HT", GET, GET.replace(b"/", b"/slow", 1), GET.replace(b"/", b"/large", 1),
                             b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"][i % 6])
        wait_for("the agent to be asked", lambda: len(agent.requests) >= asked + 8)
        return proxy

    with Agent(answer) as agent:
        end_within_100_ms(start)
        for guest in guests:
            guest.sock.close()
        release.set()


@pytest.mark.measured
def test_it_ends_within_100_ms_under_load(tenant, agent):
    stop = threading.Event()

    def load():
        while not stop.is_set():
            with contextlib.suppress(OSError, AttributeError), tenant.client() as guest:
                for _ in range(10):
                    assert guest.get().status == 200

    def start():
        asked = agent.connections
        proxy = Proxy(agent, netns=tenant.proxy).start()
        wait_for("requests", lambda: agent.connections > asked + 100)
        return proxy

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        end_within_100_ms(start)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_it_ends_while_its_worker_is_stopped(tenant, agent):
    """A worker that does not listen any more must not keep anybody waiting."""
    proxy = Proxy(agent, netns=tenant.proxy).start()
    pids = all_processes(proxy)
    os.kill(proxy.worker, signal.SIGSTOP)
    assert stopped_within(proxy) < 2
    assert_nothing_is_left(pids)


def test_it_ends_while_a_worker_is_being_replaced(tenant, agent):
    for pause in (0, 0.001, 0.005, 0.02, 0.05):
        proxy = Proxy(agent, netns=tenant.proxy).start()
        nursery = proxy.nursery
        os.kill(proxy.worker, signal.SIGKILL)
        time.sleep(pause)
        stopped_within(proxy)
        assert_nothing_is_left([proxy.pid, nursery])


def test_sighup_changes_nothing(tenant, agent):
    with Proxy(agent, netns=tenant.proxy) as proxy, tenant.client() as guest:
        proxy.process.send_signal(signal.SIGHUP)
        assert guest.get().status == 200
