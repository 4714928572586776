"""Random conversations with the live proxy: always a clear status or a close, and the worker lives.

A few hundred of each kind, from a seed that the failure shows; METAWARD_SEED repeats one, METAWARD_ROUNDS asks for
more.
"""
import base64
import contextlib
import json
import os
import random
import select

import pytest

from harness import NETWORK, Agent, Proxy, together
from ours import assert_only_ours

SEED = int(os.environ.get("METAWARD_SEED") or random.SystemRandom().randrange(1 << 32))
ROUNDS = int(os.environ.get("METAWARD_ROUNDS") or 100)
GUESTS = 4
CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "conformance", "cases.jsonl")

TOKENS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"\x80", b"\xff", b"/", b"*", b"?", b"#", b"%00",
    b"GET ", b"HEAD ", b"POST ", b"OPTIONS ", b"CONNECT ", b" HTTP/1.0", b" HTTP/1.1", b" HTTP/2.0", b"Host: x\r\n",
    b"Content-Length: 3\r\n", b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: x-forwarded-for\r\n", b"Expect: 100-continue\r\n",
    b"X-Forwarded-For: 6.6.6.6\r\n", b"X_Neutron_Network_ID: y\r\n", b"0\r\n\r\n", b"3\r\nabc\r\n", b"ffffffff\r\n", b"1;x=y\r\nz\r\n",
    b"http://h", b"[fe80::1%25x]", b"a" * 300, b"a" * 3000, b"X: y\r\n" * 70]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 404 Not Found\nContent-Length: 0", b"HTTP/1.0 200 OK\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40000]


def seeds():
    """The requests of the conformance corpus."""
    found = []
    with open(CASES) as f:
        for line in f:
            pieces = [base64.b64decode(piece) for piece in json.loads(line)["send"] if isinstance(piece, str)]
            found.append(b"".join(pieces))
    return found


def mutate(chooser, raw, others):
    for _ in range(chooser.choice((1, 1, 2, 3, 8))):
        at = chooser.randrange(len(raw) + 1)
        end = min(len(raw), at + chooser.choice((1, 2, 5, 20, 100)))
        raw = chooser.choice((
            lambda: raw[:at] + chooser.choice(TOKENS) + raw[at:],
            lambda: raw[:at] + chooser.choice(TOKENS) + raw[end:],
            lambda: raw[:at] + bytes([chooser.randrange(256)]) + raw[at + 1:],
            lambda: raw[:at] + raw[end:],
            lambda: raw[:end] + raw[at:],
            lambda: raw[:at] + chooser.choice(others)[at:],
            lambda: raw + chooser.choice(others)))()
    return raw


def converse(chooser, guest, raw):
    """Send bytes in pieces, reading in between, and end in one way or another. All that came back is checked."""
    pieces = chooser.choice((1, 1, 2, 5))
    cuts = sorted(chooser.randrange(len(raw) + 1) for _ in range(pieces - 1))
    with contextlib.suppress(OSError):  # it may have had enough of us before the end
        for start, end in zip([0] + cuts, cuts + [len(raw)]):
            guest.send(raw[start:end])
            if chooser.random() < 0.3 and select.select([guest.sock], [], [], 0.002)[0]:
                guest.more()
        if chooser.random() < 0.1:
            guest.reset_now()
            return
        guest.finish()
    if b"HEAD" in raw:  # whose answers can't be told from others here
        guest.closed()
        assert not guest.buffer or guest.buffer.startswith(b"HTTP/1.1 ")
    else:
        read_all(guest)


def read_all(guest):
    """Read answers up to the connection's end: strict HTTP, and nothing behind an answer that was cut."""
    while True:
        answer = guest.answer()
        if answer is None:
            return
        assert 200 <= answer.status <= 599
        if not answer.whole:
            assert guest.closed()
            return


def in_parallel(conversation):
    """ROUNDS conversations for each of a few guests, each guest with random numbers of its own."""
    def one_guest(number):
        for turn in range(ROUNDS):
            name = "METAWARD_SEED=%d: guest %d, turn %d" % (SEED, number, turn)
            try:
                conversation(random.Random("%d %d %d" % (SEED, number, turn)), number)
            except Exception as error:
                raise AssertionError(name) from error

    together(one_guest, range(GUESTS))


def assert_alive(proxy, tenant, worker):
    with tenant.client() as guest:
        assert guest.get().status in (200, 404, 502)
    assert proxy.worker == worker, "METAWARD_SEED=%d" % SEED
    assert not proxy.events("worker-died") and not proxy.events("worker-killed")


@pytest.mark.parametrize("forward", ["list", "all"])
def test_whatever_a_guest_sends_it_gets_clear_answers_and_the_agent_clean_requests(tenant, forward):
    raws = seeds()
    sources = tenant.more_guests(GUESTS)
    with Agent() as agent, Proxy(agent, "--forward-headers", forward, netns=tenant.proxy) as proxy:
        worker = proxy.worker

        def conversation(chooser, number):
            raw = mutate(chooser, chooser.choice(raws), raws)
            with tenant.client(source=sources[number]) as guest:
                converse(chooser, guest, raw)

        in_parallel(conversation)
        assert_alive(proxy, tenant, worker)
        assert len(agent.requests) > ROUNDS / 4
        for request in agent.requests[:-1]:
            source = request.header("X-Forwarded-For")
            assert source in sources
            assert_only_ours(request, source, NETWORK)


def test_whatever_the_agent_answers_a_guest_gets_clear_answers(tenant):
    chooser = random.Random("%d agent" % SEED)

    def answer(request):
        raw = mutate(chooser, chooser.choice(ANSWERS), ANSWERS)
        cut = chooser.randrange(len(raw) + 1)
        return [raw[:cut], 0.002, raw[cut:]] if chooser.random() < 0.3 else raw

    sources = tenant.more_guests(GUESTS)
    with Agent(answer) as agent, Proxy(agent, "--timeout-server", "2s", netns=tenant.proxy) as proxy:
        worker = proxy.worker

        def conversation(chooser, number):
            version = chooser.choice(("1.0", "1.1"))
            with tenant.client(source=sources[number]) as guest:
                with contextlib.suppress(OSError):  # a cut answer closes the connection
                    for _ in range(chooser.choice((1, 2, 5))):
                        guest.send("GET / HTTP/%s\r\nHost: x\r\n\r\n" % version)
                    guest.finish()
                read_all(guest)

        in_parallel(conversation)
        assert proxy.worker == worker, "METAWARD_SEED=%d" % SEED
        assert not proxy.events("worker-died") and not proxy.events("worker-killed")
