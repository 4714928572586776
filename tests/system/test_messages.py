"""A worker that is not itself any more: whatever it says on its channel, it alone pays for it.

The real parent with a hostile worker (hostile.py). The worker is killed, the event is logged, another one is started,
and nothing of the message is used or kept: the parent holds the same descriptors as before.
"""
import os
import signal
import subprocess
import threading
import time

import pytest

import proc
from harness import DAEMON, Proxy, start_failing, wait_for
from hostile import Hostile
from shared import agent, net  # noqa: F401

INVALID = "a message that is not valid"
PARENT = ["inet stream listening", "unix dgram", "unix seqpacket", "unix seqpacket"]


@pytest.fixture
def play(net, agent):
    """Start a proxy whose workers play a part, and stop it at the end."""
    started = []

    def begin(part, argument=0, since=1, log="stderr"):
        role = Hostile(part, argument, since)
        proxy = Proxy(agent, netns=net, listen=["127.0.0.1:8080"], network=role.network, under=role.under, log=log)
        started.append(proxy)
        return proxy.start()

    yield begin
    for proxy in started:
        assert proxy.stop() == 0


def held(proxy):
    """What the parent holds beyond 0, 1 and 2, by kind."""
    return sorted(kind for fd, kind in proc.kinds(proxy.pid).items() if fd > 2)


def is_replaced_twice(proxy, why):
    for count in (1, 2):
        killed = wait_for("the worker's end", lambda: proxy.event("worker-killed", count))
        assert killed["why"] == why
        assert killed["pid"] == proxy.event("serving", count)["pid"]
        wait_for("the next worker", lambda: proxy.event("serving", count + 1))
    assert proxy.event("serving", 1)["pid"] != proxy.event("serving", 2)["pid"]
    wait_for("the parent to hold what it held", lambda: held(proxy) in (PARENT, PARENT[:-1]))


@pytest.mark.parametrize("part", [
    "bad-version", "unknown-type", "type-none", "highest-type", "same-sequence", "next-sequence", "reserved-set",
    "body-set", "status-beyond", "status-negative", "slot-set", "too-short", "one-byte", "too-long", "very-long"])
def test_a_malformed_message_costs_the_worker_its_life(play, part):
    is_replaced_twice(play(part), INVALID)


@pytest.mark.parametrize("part", ["one-descriptor", "many-descriptors", "descriptors-in-parts"])
def test_surplus_descriptors_cost_the_worker_its_life_and_are_closed(play, part):
    is_replaced_twice(play(part), INVALID)


@pytest.mark.parametrize("part", ["ready-again", "serving-again", "failed-while-serving"])
def test_a_message_at_the_wrong_time_costs_the_worker_its_life(play, part):
    is_replaced_twice(play(part), INVALID)


@pytest.mark.parametrize("kind", range(1, 12))
def test_what_only_parent_and_nursery_say_costs_the_worker_its_life(play, kind):
    is_replaced_twice(play("type-of-another", argument=kind), INVALID)


def test_a_flood_of_good_messages_costs_the_worker_its_life(play):
    is_replaced_twice(play("flood-of-messages"), "too many messages")


@pytest.mark.parametrize("part, why", [
    ("unknown-step", INVALID), ("serving-before-ready", INVALID), ("descriptors-before-ready", INVALID),
    ("ready-twice", INVALID), ("flood-of-failures", "too many messages"),
    ("no-filter", "the number of system call filters is wrong"),
    ("one-filter-more", "the number of system call filters is wrong")])
def test_a_later_worker_that_starts_wrongly_gets_no_listener(play, part, why):
    """The first worker is good. After its end come two that are not, and the parent does not let them serve."""
    proxy = play(part, since=2)
    os.kill(proxy.worker, signal.SIGKILL)
    for count in (1, 2):
        assert wait_for("its end", lambda: proxy.event("worker-killed", count))["why"] == why
    assert len(proxy.events("serving")) == 1
    assert proxy.process.poll() is None
    wait_for("the parent to hold what it held", lambda: held(proxy) in (PARENT, PARENT[:-1]))


@pytest.mark.parametrize("part", ["no-byte", "leave-channel", "shut-channel"])
def test_a_worker_without_a_channel_is_killed(play, part):
    proxy = play(part)
    for count in (1, 2):
        died = wait_for("the worker's end", lambda: proxy.event("worker-died", count))
        assert (died["signal"], died["pid"]) == ("SIGKILL", proxy.event("serving", count)["pid"])
        wait_for("the next worker", lambda: proxy.event("serving", count + 1))


class Sieved(Proxy):
    """A proxy of whose stderr only the events are kept: a flood would drown the test."""

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.sieve = subprocess.Popen(["grep", "-a", "--line-buffered", "event="], stdin=self.process.stderr,
                                      stdout=subprocess.PIPE, text=True)
        self.process.stderr.close()
        self.reader = threading.Thread(target=lambda: self.lines.extend(x.rstrip("\n") for x in self.sieve.stdout),
                                       daemon=True)
        self.reader.start()
        wait_for("the proxy to serve", lambda: self.event("serving"))
        return self

    def stop(self, number=signal.SIGTERM):
        status = super().stop(number)
        assert self.sieve.wait(20) == 0
        return status


def test_a_flood_of_log_lines_keeps_the_parent_from_nothing(net, agent):
    """Neither from saying what happens, nor from starting the next worker, nor from ending when told to."""
    role = Hostile("flood-of-lines")
    proxy = Sieved(agent, netns=net, listen=["127.0.0.1:8080"], network=role.network, under=role.under).start()
    os.kill(proxy.worker, signal.SIGKILL)
    assert wait_for("the event", lambda: proxy.event("worker-died"))["signal"] == "SIGKILL"
    wait_for("the next worker", lambda: proxy.event("serving", 2))
    start = time.monotonic()
    assert proxy.stop() == 0
    assert time.monotonic() - start < 2


def test_what_a_worker_logs_reaches_a_terminal_as_one_plain_line(play):
    proxy = play("control-characters")
    wait_for("the line", lambda: any("event=request a" in line for line in proxy.lines))
    assert "event=request a?event=forged b??[31mred???? end" in proxy.lines


def test_a_log_that_a_worker_has_shut_down_is_the_parents_all_the_same(play):
    proxy = play("shut-log")
    os.kill(proxy.worker, signal.SIGKILL)
    wait_for("the event", lambda: proxy.event("worker-died"))
    wait_for("the next worker", lambda: proxy.event("serving", 2))


def test_a_worker_that_keeps_dying_is_started_with_growing_pauses(play):
    proxy = play("leave-while-serving", argument=1)
    wait_for("the fifth worker", lambda: proxy.event("serving", 5))
    times = [e["pid"] for e in proxy.events("serving")]
    assert len(set(times)) == len(times)
    wait_for("the parent to hold what it held", lambda: held(proxy) in (PARENT, PARENT[:-1]))


def test_a_worker_that_dies_while_it_drains_ends_the_proxy(net, agent):
    role = Hostile("die-when-drained")
    proxy = Proxy(agent, netns=net, listen=["127.0.0.1:8080"], network=role.network, under=role.under).start()
    assert proxy.stop(signal.SIGQUIT) == 38
    assert proxy.event("worker-died")["signal"] == "SIGSEGV"
    assert len(proxy.events("serving")) == 1


def test_a_worker_that_never_drains_is_ended_by_a_second_signal(net, agent):
    role = Hostile("hang-when-drained")
    proxy = Proxy(agent, netns=net, listen=["127.0.0.1:8080"], network=role.network, under=role.under).start()
    os.kill(proxy.pid, signal.SIGQUIT)
    assert proxy.stop() == 0


@pytest.mark.parametrize("part, status", [("nursery-talks-nonsense", 39), ("nursery-says-what-workers-say", 39)])
def test_a_nursery_that_talks_nonsense_ends_the_start(net, agent, part, status):
    role = Hostile(part)
    got, lines = start_failing("--network-id", role.network, "--metadata-proxy-socket", agent.path, "--netns", net.name,
                               "--listen", "127.0.0.1:8080", "--log", "stderr", "--user", "nobody", under=role.under)
    assert got == status and "cannot keep the worker's nursery running" in lines, lines
    assert DAEMON not in lines
