"""Many guests of every kind at once, tables far too small for them, an agent in a bad mood: nothing may leak or hang.

Whoever counts wrongly somewhere (a slot, a request in flight, a descriptor) has, after enough of this, nothing left
to give. So at the end everything must be there again.
"""
import contextlib
import os
import random
import threading
import time

import pytest

from harness import Agent, Proxy, echo, together, wait_for

SEED = int(os.environ.get("METAWARD_SEED") or random.SystemRandom().randrange(1 << 32))
SECONDS = float(os.environ.get("METAWARD_SECONDS") or 4)
SOURCES = 6
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n"
LIMITS = ("--max-connections", "12", "--max-connections-per-source", "4", "--max-in-flight", "3",
          "--max-in-flight-per-source", "2", "--timeout-http-request", "100ms", "--timeout-http-keep-alive", "100ms",
          "--timeout-client", "100ms", "--timeout-connect", "150ms", "--timeout-server", "100ms")


class MoodyAgent(Agent):
    """Answers well, badly, late, or never."""

    def __init__(self):
        super().__init__(self.in_a_mood, backlog=2)
        self.calm = False

    def in_a_mood(self, request):
        mood = "well" if self.calm else random.choice(["well", "well", "well", "slow", "never", "cut", "large", "garbage"])
        if mood == "slow":
            time.sleep(random.random() * 0.15)
        if mood == "never":
            return [0.3]
        if mood == "cut":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
        if mood == "large":
            return b"HTTP/1.1 200 OK\r\n\r\n" + bytes(500000)
        return b"nonsense" if mood == "garbage" else echo(request)


def a_request(chooser):
    kind = chooser.randrange(6)
    if kind == 0:
        return GET % (b"", b"Connection: close\r\n")
    if kind == 1:
        return b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    if kind == 2:
        return b"bad\r\n\r\n"
    return GET % (b"x" * chooser.choice((1, 100)), b"")


def one_guest(tenant, source, chooser):
    """One connection: ask, ask half, read, do not read, wait, leave in some way."""
    with tenant.client(source=source) as guest:
        for _ in range(chooser.choice((1, 1, 3))):
            raw = b"".join(a_request(chooser) for _ in range(chooser.choice((1, 1, 1, 20))))
            if chooser.random() < 0.2:
                raw = raw[:chooser.randrange(len(raw))]
            guest.send(raw)
            action = chooser.choice(("read", "read", "wait", "nothing"))
            if action == "read":
                guest.sock.settimeout(chooser.choice((0.01, 0.2)))
                guest.more()
            elif action == "wait":
                time.sleep(chooser.random() * 0.12)
        end = chooser.choice(("close", "reset", "finish"))
        if end == "reset":
            guest.reset_now()
        elif end == "finish":
            guest.finish()
            guest.sock.settimeout(0.3)
            guest.closed()


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def all_are_served(tenant, sources):
    """As many connections as the table has, all at once, and each answered well."""
    guests = [tenant.client(source=source) for source in sources for _ in range(2)]
    for guest in guests:
        guest.send(GET % (b"calm", b""))
    answers = [guest.answer() for guest in guests]
    for guest in guests:
        guest.sock.close()
    return all(answer and answer.status == 200 for answer in answers)


@pytest.mark.parametrize("restarts", [False, True], ids=["agent-stays", "agent-restarts"])
def test_everything_is_there_again_when_the_storm_is_over(tenant, restarts):
    sources = tenant.more_guests(SOURCES)
    with MoodyAgent() as agent, Proxy(agent, *LIMITS, netns=tenant.proxy) as proxy:
        pids = [proxy.pid, proxy.nursery, proxy.worker]
        before = [descriptors(pid) for pid in pids]
        end = time.monotonic() + SECONDS
        served = [0]

        def storm(number):
            chooser = random.Random("%d %d" % (SEED, number))
            while time.monotonic() < end:
                with contextlib.suppress(OSError):
                    one_guest(tenant, sources[number % SOURCES], chooser)
                served[0] += 1

        def restart(_):
            while restarts and time.monotonic() < end:
                time.sleep(0.2)
                agent.stop(unlink=False)
                time.sleep(0.05)
                agent.start()

        together(lambda job: job[0](job[1]), [(storm, number) for number in range(2 * SOURCES)] + [(restart, 0)])
        assert served[0] > 100
        wait_for("every connection to end", lambda: [descriptors(pid) for pid in pids] == before)
        agent.calm = True
        wait_for("the agent to be calm", lambda: not [t for t in threading.enumerate() if "serve" in t.name])
        wait_for("the whole table to be served, METAWARD_SEED=%d" % SEED, lambda: all_are_served(tenant, sources))
        assert proxy.worker == pids[2] and not proxy.events("worker-died")
