"""Whatever state connections are in, as long as nothing happens the processes sleep: none of them spins."""
import os
import socket
import threading
import time

import pytest

from harness import Agent, Proxy, echo, wait_for

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


class Stage:
    """A proxy, and the connections that a state is made of."""

    def __init__(self, tenant, agent, proxy):
        self.tenant, self.agent, self.proxy, self.guests = tenant, agent, proxy, []

    def guest(self, raw=b"", small=False):
        guest = self.tenant.client()
        if small:
            guest.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        guest.send(raw)
        self.guests.append(guest)
        return guest

    def asking(self, target=b"held", raw=b"", small=False):
        """A guest whose request is at the agent."""
        count = len(self.agent.requests) + 1
        guest = self.guest(GET % target + raw, small)
        wait_for("the agent to be asked", lambda: len(self.agent.requests) >= count)
        return guest


def nothing(stage):
    pass


def idle(stage):
    assert stage.guest().get().status == 200


def half_open(stage):
    stage.guest(b"GET / HT")


def waiting_for_the_agent(stage):
    stage.asking()


def half_closed_while_waiting(stage):
    stage.asking().finish()


def closed_while_waiting(stage):
    stage.asking().sock.close()


def broken_off_while_waiting(stage):
    stage.asking().reset_now()


def pipelined_too_much(stage):
    stage.asking(raw=GET % b"next" * 600)


def pipelined_too_much_and_half_closed(stage):
    stage.asking(raw=GET % b"next" * 600).finish()


def pipelined_too_much_and_broken_off(stage):
    stage.asking(raw=GET % b"next" * 600).reset_now()


def refused_and_silent(stage):
    assert stage.guest(b"x\r\n").answer().status == 400


def not_reading(stage):
    stage.asking(b"large", small=True)


def not_reading_and_half_closed(stage):
    stage.asking(b"large", small=True).finish()


def not_reading_but_pipelining(stage):
    stage.asking(b"large", raw=GET % b"next" * 600, small=True)


def not_reading_and_broken_off(stage):
    stage.asking(b"large", small=True).reset_now()


def agent_in_the_middle_of_its_answer(stage):
    stage.asking(b"stuck")


def parked(stage):
    for _ in range(6):
        stage.guest(GET % b"held")


def parked_and_half_closed(stage):
    for _ in range(6):
        stage.guest(GET % b"held").finish()


def parked_and_broken_off(stage):
    for guest in [stage.guest(GET % b"held") for _ in range(6)][4:]:
        guest.reset_now()


def urgent_data(stage):
    stage.asking().sock.send(b"!", socket.MSG_OOB)
    stage.guest(b"GET / HT").sock.send(b"!", socket.MSG_OOB)


STATES = [nothing, idle, half_open, waiting_for_the_agent, half_closed_while_waiting, closed_while_waiting,
          broken_off_while_waiting, pipelined_too_much, pipelined_too_much_and_half_closed,
          pipelined_too_much_and_broken_off, refused_and_silent, not_reading, not_reading_and_half_closed,
          not_reading_but_pipelining, not_reading_and_broken_off, agent_in_the_middle_of_its_answer, parked,
          parked_and_half_closed, parked_and_broken_off, urgent_data]


def cpu_ms(pid):
    with open("/proc/%d/schedstat" % pid) as f:
        return int(f.read().split()[0]) / 1e6


@pytest.mark.measured
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_nobody_spins(tenant, state):
    release = threading.Event()

    def answer(request):
        if request.target == "/large":
            return [b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"] + [bytes(65536)] * 1000
        if request.target == "/stuck":
            return [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", 2.0]
        if request.target == "/held":
            release.wait(20)
        return echo(request)

    limits = ("--max-connections-per-source", "4")
    with Agent(answer) as agent, Proxy(agent, *limits, netns=tenant.proxy) as proxy:
        stage = Stage(tenant, agent, proxy)
        pids = [proxy.pid, proxy.nursery, proxy.worker]
        state(stage)
        time.sleep(0.05)  # what the last bytes still cause
        before = [cpu_ms(pid) for pid in pids]
        time.sleep(0.25)
        used = [cpu_ms(pid) - start for pid, start in zip(pids, before)]
        assert max(used) < 10, used
        release.set()
        for guest in stage.guests:
            guest.sock.close()
        wait_for("all connections to end", lambda: len(os.listdir("/proc/%d/fd" % pids[2])) == 4)
        with tenant.client() as guest:
            assert guest.get().status == 200


@pytest.mark.measured
def test_an_agent_that_does_not_accept_costs_little_time(tenant):
    class Hung(Agent):
        def accept(self, sock, wake):
            os.read(wake, 1)

    with Hung(backlog=0) as agent, Proxy(agent, netns=tenant.proxy) as proxy:
        guests = [tenant.client() for _ in range(30)]
        for guest in guests:
            guest.send(GET % b"")
        worker = proxy.worker
        time.sleep(0.1)
        before = cpu_ms(worker)
        time.sleep(0.5)
        assert cpu_ms(worker) - before < 25  # it tries again every 20 ms
        for guest in guests:
            guest.sock.close()
