"""What dies and what lives on: worker, nursery and parent killed in the middle of their work."""
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import DAEMON, NETWORK, Agent, Proxy, echo, together, wait_for


def kill_worker(proxy, number=signal.SIGKILL):
    """Kill the worker, and wait until it is gone. Returns its pid."""
    worker = proxy.worker
    os.kill(worker, number)
    wait_for("the worker's end", lambda: not os.path.exists("/proc/%d" % worker))
    return worker


def ask(tenant):
    """One request on a new connection. Returns the status; None where the connection was lost in the middle."""
    with tenant.client() as guest:
        try:
            answer = guest.get()
        except (BrokenPipeError, ConnectionResetError):
            return None
        return answer.status if answer and answer.whole else None


def test_a_killed_worker_is_replaced_and_connections_wait(tenant, agent):
    with Proxy(agent, netns=tenant.proxy) as proxy:
        for count in range(2, 5):
            old = kill_worker(proxy)
            start = time.monotonic()
            assert ask(tenant) == 200  # not refused, only late
            assert time.monotonic() - start < 5
            assert proxy.worker != old
            died = wait_for("the log line", lambda: proxy.event("worker-died", count - 1))
            assert (died["signal"], died["pid"]) == ("SIGKILL", str(old))
            wait_for("the log line", lambda: proxy.event("serving", count))


# The sanitizers have handlers of their own for some signals.
@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSYS, pytest.param(signal.SIGSEGV, marks=pytest.mark.plain),
                                    pytest.param(signal.SIGBUS, marks=pytest.mark.plain)])
def test_the_log_names_the_signal_that_killed_the_worker(tenant, agent, number):
    with Proxy(agent, netns=tenant.proxy) as proxy:
        old = kill_worker(proxy, number)
        died = wait_for("the log line", lambda: proxy.event("worker-died"))
        assert (died["signal"], died["pid"]) == (number.name, str(old))
        assert (number == signal.SIGSYS) == ("1326" in died.get("see", ""))  # where the kernel's line is found
        assert ask(tenant) == 200


def test_only_requests_in_flight_are_lost_when_the_worker_is_killed_under_load(tenant, agent):
    stop = threading.Event()
    sources = tenant.more_guests(4)

    def load(source):
        """New connections all the time, one request each: how many were answered and how many were lost."""
        answered = lost = 0
        while not stop.is_set():
            with tenant.client(source=source) as guest:  # a refused connection fails the test
                try:
                    answer = guest.get()
                except (BrokenPipeError, ConnectionResetError):
                    answer = None
                if answer and answer.whole:
                    assert answer.status == 200
                    answered += 1
                else:
                    lost += 1
        return answered, lost

    def kill_on(_):
        try:
            for count in range(1, 5):
                wait_for("requests", lambda: len(agent.requests) > 100 * count)
                kill_worker(proxy)
                wait_for("another worker", lambda: proxy.event("serving", count + 1))
        finally:
            stop.set()
        return 0, 0

    with Proxy(agent, netns=tenant.proxy) as proxy:
        results = together(lambda job: job[0](job[1]), [(load, source) for source in sources] + [(kill_on, None)])
        assert sum(lost for _, lost in results) <= 4 * len(sources)
        assert sum(answered for answered, _ in results) > 300


def test_connections_that_wait_while_no_worker_is_there_are_served_in_the_end(tenant, agent):
    with Proxy(agent, netns=tenant.proxy) as proxy:
        for _ in range(3):  # from the second one on there is a pause
            kill_worker(proxy)
        statuses = together(lambda _: ask(tenant), range(40))
        assert statuses == [200] * 40


def test_repeated_deaths_are_slowed_down_but_recovered_from(tenant, agent):
    with Proxy(agent, netns=tenant.proxy) as proxy:
        waited = []
        for count in range(2, 7):
            kill_worker(proxy)
            start = time.monotonic()
            wait_for("another worker", lambda: proxy.event("serving", count))
            waited.append(time.monotonic() - start)
            assert ask(tenant) == 200
        assert waited[0] < 0.5 and waited[-1] > 0.7  # 0, 100, 200, 400, 800 ms
        assert sum(waited) < 5


def test_a_new_worker_gets_every_listener_and_no_descriptor_is_lost(tenant, agent):
    listeners = ["169.254.169.254:80", "[fe80::a9fe:a9fe]:80%tap0"] + ["10.0.0.1:%d" % port for port in range(8001, 8015)]
    with Proxy(agent, netns=tenant.proxy, listen=listeners) as proxy:
        processes = (proxy.pid, proxy.nursery)
        before = [len(os.listdir("/proc/%d/fd" % pid)) for pid in processes]
        for count in range(2, 5):
            for address, port in [("169.254.169.254", 80), ("fe80::a9fe:a9fe%eth0", 80), ("10.0.0.1", 8001), ("10.0.0.1", 8014)]:
                with tenant.client(address, port) as guest:
                    assert guest.get().status == 200
            kill_worker(proxy)
            wait_for("another worker", lambda: proxy.event("serving", count))
        assert [len(os.listdir("/proc/%d/fd" % pid)) for pid in processes] == before


def test_a_worker_that_is_stopped_for_a_while_goes_on(tenant, agent):
    with Proxy(agent, netns=tenant.proxy) as proxy:
        worker = proxy.worker
        os.kill(worker, signal.SIGSTOP)
        with tenant.client() as guest:
            guest.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            os.kill(worker, signal.SIGCONT)
            assert guest.answer().status == 200
        assert proxy.worker == worker


def gone(*pids):
    """Are these processes gone, or zombies that somebody else has to bury?"""
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid) as f:
                if f.read().rpartition(")")[2].split()[0] != "Z":
                    return False
        except (FileNotFoundError, ProcessLookupError):
            pass
    return True


def nothing_listens(tenant):
    with tenant.proxy.inside():
        sock = socket.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("169.254.169.254", 80))
        except OSError:
            return False
        finally:
            sock.close()
    return True


@pytest.mark.parametrize("load", [False, True])
def test_a_killed_parent_takes_all_with_it_and_leaves_the_port_free(tenant, load):
    with Agent(lambda request: [5.0] if request.target == "/slow" else echo(request)) as agent:
        proxy = Proxy(agent, netns=tenant.proxy).start()
        nursery, worker = proxy.nursery, proxy.worker
        guests = [tenant.client() for _ in range(20 if load else 0)]
        for guest in guests:
            guest.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        proxy.process.kill()
        start = time.monotonic()
        wait_for("nursery and worker to be gone", lambda: gone(nursery, worker))
        wait_for("the port to be free", lambda: nothing_listens(tenant))
        assert time.monotonic() - start < 2
        proxy.process.wait()
        for guest in guests:
            assert guest.answer() is None
            guest.sock.close()
        with Proxy(agent, netns=tenant.proxy):
            assert ask(tenant) == 200


@pytest.mark.parametrize("attempt", range(10))
def test_a_killed_nursery_ends_the_parent_with_a_status_of_its_own(tenant, agent, attempt):
    proxy = Proxy(agent, netns=tenant.proxy).start()
    worker = proxy.worker
    os.kill(proxy.nursery, signal.SIGKILL)
    assert proxy.process.wait(10) == 39
    proxy.reader.join(10)
    assert gone(worker) and nothing_listens(tenant)
    assert "nursery" in proxy.lines[-1] and "exit status 39" in proxy.lines[-1] and NETWORK in proxy.lines[-1]


def test_a_nursery_killed_right_after_its_worker_is_told_as_such(tenant, agent):
    for _ in range(10):
        proxy = Proxy(agent, netns=tenant.proxy).start()
        nursery = proxy.nursery
        os.kill(proxy.worker, signal.SIGKILL)
        os.kill(nursery, signal.SIGKILL)
        assert proxy.process.wait(10) == 39
        proxy.reader.join(10)
        assert nothing_listens(tenant)


def test_a_worker_killed_while_it_drains_ends_the_proxy(tenant):
    with Agent(lambda request: [5.0]) as agent:
        proxy = Proxy(agent, netns=tenant.proxy).start()
        with tenant.client() as guest:
            guest.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for("the agent to be asked", lambda: agent.requests)
            proxy.process.send_signal(signal.SIGQUIT)
            wait_for("the drain", lambda: nothing_listens(tenant))
            os.kill(proxy.worker, signal.SIGKILL)
            assert proxy.process.wait(5) != 0  # a request was lost
            assert guest.answer() is None
        proxy.reader.join(10)
