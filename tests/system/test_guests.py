"""Guests as they are: slow, idle, in a hurry, gone, too long, too many. Each gets its due, and none the others'."""
import contextlib
import itertools
import json
import os
import resource
import select
import socket
import threading
import time

import pytest

from harness import Agent, Proxy, echo, wait_for

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def proxy(tenant, agent):
    with Proxy(agent, netns=tenant.proxy) as made:
        yield made


def target_seen(answer):
    assert answer.status == 200 and answer.whole
    return json.loads(answer.body)["target"]


def refusal(proxy, count=1):
    return wait_for("the refusal's log line", lambda: proxy.event("refused", count))


# Slow guests


def test_a_head_that_does_not_come_in_time_is_told_so(tenant, agent):
    with Proxy(agent, "--timeout-http-request", "200ms", netns=tenant.proxy) as proxy, tenant.client() as guest:
        start = time.monotonic()
        guest.send("GET / HTTP/1.1\r\nHost: x\r\n")
        answer = guest.answer()
        assert answer.status == 408 and answer.header("Connection") == "close"
        assert guest.closed() and not guest.reset
        assert time.monotonic() - start >= 0.18
        assert refusal(proxy)["reason"] == "head-slow"


def test_a_head_that_comes_byte_by_byte_has_no_more_time(tenant, agent):
    with Proxy(agent, "--timeout-http-request", "300ms", netns=tenant.proxy), tenant.client() as guest:
        start = time.monotonic()
        guest.send("GET / HTTP/1.1\r\n")
        for byte in itertools.cycle(b"x: y\r\n"):
            guest.send(bytes([byte]))
            if select.select([guest.sock], [], [], 0.01)[0]:
                break
        assert guest.answer().status == 408
        assert 0.28 < time.monotonic() - start < 2


def test_a_body_that_does_not_come_in_time_is_told_so(tenant, agent):
    with Proxy(agent, "--timeout-http-request", "200ms", netns=tenant.proxy) as proxy, tenant.client() as guest:
        guest.send(POST % (b"/", 10) + b"12345")
        assert guest.answer().status == 408
        assert guest.closed()
        assert refusal(proxy)["reason"] == "body-slow"
        assert agent.connections == 0


def test_head_and_body_each_have_their_time(tenant, agent):
    with Proxy(agent, "--timeout-http-request", "500ms", netns=tenant.proxy), tenant.client() as guest:
        head = POST % (b"/", 4)
        guest.send(head[:20])
        for piece in (head[20:] + b"12", b"34"):
            time.sleep(0.3)
            guest.send(piece)
        assert guest.answer().status == 200


@pytest.mark.parametrize("what", [b"", b"\r\n", b"\r\n\r\n"])
def test_a_guest_that_asks_nothing_is_closed_silently(tenant, agent, what):
    with Proxy(agent, "--timeout-http-request", "150ms", netns=tenant.proxy) as proxy, tenant.client() as guest:
        guest.send(what)
        assert guest.closed() and not guest.reset
        assert not proxy.events("refused")


def test_an_idle_connection_is_closed_silently(tenant, agent):
    with Proxy(agent, "--timeout-http-keep-alive", "150ms", netns=tenant.proxy) as proxy, tenant.client() as guest:
        assert guest.get().status == 200
        start = time.monotonic()
        assert guest.closed() and not guest.reset
        assert 0.1 < time.monotonic() - start < 5
        assert not proxy.events("refused")


def test_the_time_of_the_next_request_starts_with_its_first_byte(tenant, agent):
    options = ("--timeout-http-keep-alive", "3s", "--timeout-http-request", "200ms")
    with Proxy(agent, *options, netns=tenant.proxy), tenant.client() as guest:
        assert guest.get().status == 200
        time.sleep(0.3)  # longer than a head may take
        assert guest.get().status == 200
        guest.send("G")
        assert guest.answer().status == 408


# Keep-alive, pipelining, versions


def test_a_connection_serves_many_requests(tenant, agent, proxy):
    with tenant.client() as guest:
        for i in range(200):
            assert target_seen(guest.get("/%d" % i)) == "/%d" % i
    assert agent.connections == 200  # one each at the agent


@pytest.mark.parametrize("version, field, goes_on", [
    ("1.1", "", True), ("1.1", "Connection: close\r\n", False), ("1.1", "Connection: x, CLOSE\r\n", False),
    ("1.0", "", False), ("1.0", "Connection: keep-alive\r\n", True), ("1.0", "Connection: Keep-Alive, x\r\n", True),
    ("1.0", "Connection: keep-alive, close\r\n", False), ("1.9", "", True)])
def test_the_connection_is_kept_as_version_and_field_say(tenant, proxy, version, field, goes_on):
    with tenant.client() as guest:
        guest.send("GET / HTTP/%s\r\nHost: x\r\n%s\r\n" % (version, field))
        answer = guest.answer()
        assert answer.status == 200
        if not goes_on:
            assert answer.header("Connection") == "close"
            assert guest.closed() and not guest.reset
        else:
            assert answer.header("Connection") == (None if version != "1.0" else "keep-alive")
            assert guest.get().status == 200


def test_pipelined_requests_are_answered_in_order_one_at_a_time(tenant):
    at_once, most, lock = [0], [0], threading.Lock()

    def answer(request):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.03 if request.target.endswith("0") else 0)  # the earlier one is the slower one
        with lock:
            at_once[0] -= 1
        return echo(request)

    with Agent(answer) as agent, Proxy(agent, netns=tenant.proxy), tenant.client() as guest:
        guest.send(b"".join(GET % b"/%d" % i for i in range(40)))
        assert [target_seen(guest.answer()) for _ in range(40)] == ["/%d" % i for i in range(40)]
        assert most[0] == 1


def test_pipelined_requests_with_bodies_of_all_kinds_keep_apart(tenant, proxy):
    def request(i):
        head = b"POST /%d HTTP/1.1\r\nHost: x\r\n" % i
        body = b"b" * (i * 7 % 300)
        if i % 3 == 0:
            return GET % (b"/%d" % i), b""
        if i % 3 == 1:
            return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body), body
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body[:20])
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", body[:20]

    with tenant.client() as guest:
        requests = [request(i) for i in range(300)]
        sender = threading.Thread(target=guest.send, args=(b"".join(raw for raw, _ in requests),))
        sender.start()  # far more than the proxy holds at once, so it must be read meanwhile
        for i, (_, body) in enumerate(requests):
            answer = guest.answer()
            assert target_seen(answer) == "/%d" % i
            assert json.loads(answer.body)["body"] == body.decode()
        sender.join()


def test_a_guest_that_pipelines_much_and_ends_still_gets_everything(tenant, proxy):
    with tenant.client() as guest:
        def send():
            guest.send(b"".join(GET % b"/%d" % i for i in range(1000)))
            guest.finish()

        sender = threading.Thread(target=send)
        sender.start()
        assert [target_seen(guest.answer()) for _ in range(1000)] == ["/%d" % i for i in range(1000)]
        assert guest.closed() and not guest.reset
        sender.join()


def test_a_guest_that_reads_only_at_the_end_gets_everything_in_order(tenant):
    def answer(request):
        body = request.target.encode() * 2000
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    with Agent(answer) as agent, Proxy(agent, netns=tenant.proxy), tenant.client() as guest:
        guest.send(b"".join(GET % b"/%03d" % i for i in range(200)))
        for i in range(200):
            assert guest.answer().body == b"/%03d" % i * 2000


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40, 1000])
def test_how_requests_are_cut_into_pieces_changes_nothing(tenant, proxy, size):
    raw = b"".join([GET % b"/a", POST % (b"/b", 5) + b"12345", b"\r\n" + GET % b"/c",
                    b"POST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
                    GET % b"/e"])
    with tenant.client() as guest:
        for at in range(0, len(raw), size):
            guest.send(raw[at:at + size])
        assert [target_seen(guest.answer()) for _ in range(5)] == ["/a", "/b", "/c", "/d", "/e"]


def test_what_follows_a_last_request_does_not_destroy_its_answer(tenant, proxy):
    with tenant.client() as guest:
        guest.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET % b"/never" * 1000)
        answer = guest.answer()
        assert answer.status == 200 and answer.whole and answer.header("Connection") == "close"
        assert guest.closed() and not guest.reset


def test_a_guest_of_http_1_0_that_stays_gets_no_answer_that_ends_with_the_connection(tenant):
    answers = {"/length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "/end": b"HTTP/1.1 200 OK\r\n\r\nok",
               "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"}
    with Agent(lambda request: answers[request.target]) as agent, Proxy(agent, netns=tenant.proxy):
        for target in answers:
            with tenant.client() as guest:
                for _ in range(2 if target == "/length" else 1):
                    guest.send("GET %s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" % target)
                    answer = guest.answer()
                    assert (answer.status, answer.body) == (200, b"ok")
                    assert answer.header("Transfer-Encoding") is None
                    assert answer.header("Connection") == ("keep-alive" if target == "/length" else "close")
                assert target == "/length" or guest.closed()


def test_urgent_bytes_change_nothing(tenant, proxy):
    with tenant.client() as guest:
        guest.send("GET /a HTTP/1.1\r\nHost")
        guest.sock.send(b"!", socket.MSG_OOB)
        guest.send(": x\r\n\r\n")
        assert target_seen(guest.answer()) == "/a"
        assert target_seen(guest.get("/b")) == "/b"


# Expect: 100-continue


def expecting(length, version="1.1", expect="100-continue"):
    return "POST / HTTP/%s\r\nHost: x\r\nExpect: %s\r\nContent-Length: %d\r\n\r\n" % (version, expect, length)


def test_a_guest_that_waits_for_100_gets_it(tenant, agent, proxy):
    for expect in ("100-continue", "100-Continue"):
        with tenant.client() as guest:
            guest.send(expecting(5, expect=expect))
            assert guest.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
            guest.send(b"12345")
            assert guest.answer().status == 200
            assert guest.get().status == 200
    assert agent.requests[0].body == b"12345"
    assert agent.requests[0].header("Expect") is None


def test_a_body_that_is_there_needs_no_100(tenant, proxy):
    with tenant.client() as guest:
        guest.send(expecting(5) + "12345")
        assert guest.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_http_1_0_knows_no_100(tenant, proxy):
    with tenant.client() as guest:
        guest.send(expecting(5, version="1.0"))
        with tenant.client() as other:  # by its answer the head has been read
            assert other.get().status == 200
        guest.send("12345")
        assert guest.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_another_expectation_is_refused(tenant, agent, proxy):
    with tenant.client() as guest:
        guest.send(expecting(5, expect="201-created"))
        assert guest.answer().status == 417
        assert guest.closed()
    assert agent.connections == 0


@pytest.mark.parametrize("length, target", [(1000000, "/"), (3000, "/" + "a" * 1800)])
def test_a_body_that_will_be_refused_is_not_asked_for(tenant, agent, proxy, length, target):
    with tenant.client() as guest:
        guest.send(expecting(length).replace(" / ", " %s " % target))
        assert guest.read_until(b"\r\n").startswith(b"HTTP/1.1 413")
    assert agent.connections == 0


# Guests that end or break off


def test_a_guest_that_ends_after_its_request_still_gets_the_answer(tenant, proxy):
    with tenant.client() as guest:
        guest.send(GET % b"/a" + POST % (b"/b", 3) + b"abc")
        guest.finish()
        assert target_seen(guest.answer()) == "/a"
        assert target_seen(guest.answer()) == "/b"
        assert guest.closed() and not guest.reset


def test_a_guest_that_ends_long_before_the_answer_still_gets_it(tenant):
    release = threading.Event()

    def answer(request):
        release.wait(10)
        return echo(request)

    with Agent(answer) as agent, Proxy(agent, netns=tenant.proxy), tenant.client() as guest:
        guest.send(GET % b"/a")
        guest.finish()
        wait_for("the agent to be asked", lambda: agent.requests)
        release.set()
        answer = guest.answer()
        assert target_seen(answer) == "/a" and answer.header("Connection") == "close"
        assert guest.closed()


@pytest.mark.parametrize("raw", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", POST % (b"/", 10) + b"12345",
                                 b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"])
def test_a_guest_that_ends_within_a_request_is_told_so(tenant, agent, proxy, raw):
    with tenant.client() as guest:
        guest.send(raw)
        guest.finish()
        assert guest.answer().status == 400
        assert guest.closed()
    assert refusal(proxy)["reason"] == "cut"
    assert agent.connections == 0


def test_what_is_whole_before_a_cut_is_answered(tenant, agent, proxy):
    with tenant.client() as guest:
        guest.send(GET % b"/a" + GET % b"/b" + b"GET /c HT")
        guest.finish()
        assert target_seen(guest.answer()) == "/a"
        assert target_seen(guest.answer()) == "/b"
        assert guest.answer().status == 400
        assert guest.closed()
    assert agent.connections == 2


def test_a_guest_that_ends_without_a_request_is_closed(tenant, proxy):
    with tenant.client() as guest:
        guest.finish()
        assert guest.closed() and not guest.reset
    assert not proxy.events("refused")


@pytest.mark.parametrize("raw", [b"", b"GET / HT", POST % (b"/", 10) + b"12345", GET % b"/", GET % b"/" * 50])
def test_a_guest_that_breaks_off_harms_nobody(tenant, proxy, raw):
    worker = proxy.worker
    for _ in range(20):
        guest = tenant.client()
        guest.send(raw)
        guest.reset_now()
    with tenant.client() as guest:
        assert guest.get().status == 200
    assert proxy.worker == worker


def test_a_guest_that_breaks_off_while_its_request_is_at_the_agent_is_logged(tenant):
    release = threading.Event()

    def answer(request):
        release.wait(10)
        return echo(request)

    with Agent(answer) as agent, Proxy(agent, netns=tenant.proxy) as proxy:
        guest = tenant.client()
        guest.send(GET % b"/gone")
        wait_for("the agent to be asked", lambda: agent.requests)
        guest.reset_now()
        line = wait_for("the log line", lambda: proxy.event("request"))
        release.set()
        assert (line["target"], line["reason"]) == ("/gone", "guest-gone")


# Too long


TOO_LONG = {
    "request line": (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "request-line-long"),
    "request line without end": (b"GET /" + b"a" * 100000, 414, "request-line-long"),
    "one header": (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, "head-long"),
    "headers without end": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 3000, 431, None),
    "too many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431, "fields-many"),
    "a header's name without end": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X" * 100000, 431, "head-long"),
    "length of a body": (POST % (b"/", 4000) + b"b" * 4000, 413, "body-long"),
    "length of a large body": (POST % (b"/", 100000) + b"b" * 100000, 413, "body-long"),
    "chunked body": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfa0\r\n" + b"b" * 4000, 413, "body-long"),
    "many chunks": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nb\r\n" * 5000, 413, None),
    "request for the agent": (
        b"POST /" + b"a" * 1800 + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n" + b"b" * 3000, 413, "upstream-long"),
}


@pytest.mark.parametrize("what", TOO_LONG)
def test_what_is_too_long_is_refused_with_its_own_status(tenant, agent, proxy, what):
    raw, status, reason = TOO_LONG[what]
    with tenant.client() as guest:
        sender = threading.Thread(target=send_all, args=(guest, raw))
        sender.start()
        answer = guest.answer()
        assert answer.status == status and answer.whole and answer.header("Connection") == "close"
        sender.join()
        assert guest.closed() and not guest.reset  # the refusal is not lost, however much was sent
    assert reason is None or refusal(proxy)["reason"] == reason
    assert agent.connections == 0


def send_all(guest, raw):
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        guest.send(raw)
        guest.finish()


def test_a_guest_that_never_stops_sending_is_cut_off(tenant, proxy):
    with tenant.client() as guest:
        guest.send(b"x y z\r\n\r\n")
        assert guest.answer().status == 400
        sent = 0
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                guest.send(b"x" * 65536)
                sent += 65536
        assert sent < 16000000  # what the proxy throws away, and what the kernel holds on both sides


def test_a_refused_guest_that_stays_silent_is_closed_soon(tenant, proxy):
    before = open_descriptors(proxy)
    with tenant.client() as guest:
        guest.send(b"x y z\r\n\r\n")
        assert guest.answer().status == 400
        assert open_descriptors(proxy) == before + 1  # what is still on its way must not become a reset
        wait_for("the proxy to close its end", lambda: open_descriptors(proxy) == before, patience=5)


def open_descriptors(proxy):
    return len(os.listdir("/proc/%d/fd" % proxy.worker))


# Too many


def half_open(tenant, count, source=None):
    """Connections that have sent half a request."""
    guests = []
    for _ in range(count):
        guests.append(tenant.client(source=source))
        guests[-1].send(b"GET /half HTTP/1.1\r\n")
    return guests


def close_all(guests):
    for guest in guests:
        guest.sock.close()


def test_a_newcomer_gets_in_where_one_guest_holds_all_connections(tenant, agent):
    greedy, modest = tenant.more_guests(2)
    limits = ("--max-connections", "10", "--max-connections-per-source", "10")
    with Proxy(agent, *limits, netns=tenant.proxy) as proxy:
        guests = half_open(tenant, 10, greedy)
        with tenant.client(source=modest) as newcomer:
            assert newcomer.get().status == 200
            line = wait_for("the log line", lambda: proxy.event("evicted"))
            assert (line["guest"], line["state"], line["reason"]) == (greedy, "reading", "evicted")
            assert guests[0].closed()  # the one that was at it for longest
            guests += half_open(tenant, 40, greedy)
            assert newcomer.get().status == 200  # its connection was left alone
            assert {e["guest"] for e in proxy.events("evicted")} == {greedy}
        close_all(guests)


def test_the_guest_with_most_connections_gives_way(tenant, agent):
    one, two, three = tenant.more_guests(3)
    with Proxy(agent, "--max-connections", "9", netns=tenant.proxy) as proxy:
        guests = half_open(tenant, 2, one) + half_open(tenant, 5, two) + half_open(tenant, 2, one)
        newcomers = half_open(tenant, 1, three)
        assert wait_for("the log line", lambda: proxy.event("evicted"))["guest"] == two
        assert guests[2].closed()
        close_all(guests + newcomers)


def test_idle_connections_give_way_before_those_that_ask(tenant, agent):
    greedy, modest = tenant.more_guests(2)
    with Proxy(agent, "--max-connections", "6", netns=tenant.proxy) as proxy:
        guests = half_open(tenant, 3, greedy)
        idle = [tenant.client(source=greedy) for _ in range(3)]
        for guest in idle:
            assert guest.get().status == 200
        with tenant.client(source=modest) as newcomer:
            assert newcomer.get().status == 200
        assert wait_for("the log line", lambda: proxy.event("evicted"))["state"] == "idle"
        assert idle[0].closed()
        guests[0].send(b"Host: x\r\n\r\n")
        assert guests[0].answer().status == 200
        close_all(guests + idle)


def test_parked_connections_give_way_first(tenant, agent):
    greedy, modest = tenant.more_guests(2)
    limits = ("--max-connections", "6", "--max-connections-per-source", "3")
    with Proxy(agent, *limits, netns=tenant.proxy) as proxy:
        guests = half_open(tenant, 6, greedy)
        with tenant.client(source=modest) as newcomer:
            assert newcomer.get().status == 200
        assert wait_for("the log line", lambda: proxy.event("evicted"))["state"] == "parked"
        assert guests[3].closed()
        guests[0].send(b"Host: x\r\n\r\n")
        assert guests[0].answer().status == 200
        close_all(guests)


def test_nobody_gives_way_while_requests_are_at_the_agent(tenant):
    release = threading.Event()

    def answer(request):
        release.wait(10)
        return echo(request)

    busy, late = tenant.more_guests(2)
    with Agent(answer) as agent, Proxy(agent, "--max-connections", "4", netns=tenant.proxy) as proxy:
        guests = [tenant.client(source=busy) for _ in range(4)]
        for guest in guests:
            guest.send(GET % b"/")
        wait_for("the agent to be asked", lambda: len(agent.requests) == 4)
        with tenant.client(source=late) as newcomer:
            assert newcomer.closed()
        assert (refusal(proxy)["guest"], refusal(proxy)["reason"]) == (late, "table-full")
        release.set()
        for guest in guests:
            assert guest.answer().status == 200
        with tenant.client(source=late) as newcomer:
            assert newcomer.get().status == 200
        close_all(guests)


def test_connections_beyond_a_guests_share_wait_for_their_turn(tenant, agent):
    greedy, modest = tenant.more_guests(2)
    with Proxy(agent, "--max-connections-per-source", "2", netns=tenant.proxy) as proxy:
        guests = half_open(tenant, 2, greedy)
        with tenant.client(source=greedy) as parked:
            parked.send(GET % b"/parked")
            with tenant.client(source=modest) as other:
                for _ in range(20):
                    assert other.get().status == 200
            assert "/parked" not in [request.target for request in agent.requests]
            guests[0].send(b"Host: x\r\n\r\n")
            assert guests[0].answer().status == 200
            assert target_seen(parked.answer()) == "/parked"
        assert not proxy.events("evicted")
        close_all(guests)


def test_100_connections_of_one_guest_that_stay_open_are_all_served(tenant, proxy):
    guests = [tenant.client() for _ in range(100)]
    for guest in guests:
        guest.send(GET % b"/")
    for guest in guests:
        assert guest.answer().status == 200
    close_all(guests)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_waiting_connection_is_served_when_another_one_ends(tenant, agent, how):
    with Proxy(agent, "--max-connections-per-source", "1", netns=tenant.proxy):
        first = half_open(tenant, 1)[0]
        with tenant.client() as parked:
            parked.send(GET % b"/parked")
            first.sock.close() if how == "close" else first.reset_now()
            assert target_seen(parked.answer()) == "/parked"


def test_waiting_connections_are_served_in_the_order_in_which_they_came(tenant, agent):
    with Proxy(agent, "--max-connections-per-source", "1", netns=tenant.proxy):
        first = half_open(tenant, 1)[0]
        parked = [tenant.client() for _ in range(10)]
        for i, guest in enumerate(parked):
            guest.send(b"GET /%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % i)
        first.sock.close()
        for i, guest in enumerate(parked):
            assert target_seen(guest.answer()) == "/%d" % i
        assert [request.target for request in agent.requests] == ["/%d" % i for i in range(10)]
        close_all(parked)


def test_an_idle_connection_gives_way_to_a_waiting_one_of_its_guest(tenant, agent):
    with Proxy(agent, "--max-connections-per-source", "2", netns=tenant.proxy):
        idle = [tenant.client() for _ in range(2)]
        for guest in idle:
            assert guest.get().status == 200
        with tenant.client() as third:
            assert third.get().status == 200
        assert idle[0].closed()
        assert idle[1].get().status == 200
        close_all(idle)


def test_a_connection_that_never_gets_its_turn_is_closed_in_the_end(tenant):
    release = threading.Event()

    def answer(request):
        release.wait(10)
        return echo(request)

    options = ("--max-connections-per-source", "1", "--timeout-http-request", "200ms")
    with Agent(answer) as agent, Proxy(agent, *options, netns=tenant.proxy):
        with tenant.client() as busy, tenant.client() as parked:
            busy.send(GET % b"/busy")
            wait_for("the agent to be asked", lambda: agent.requests)
            parked.send(GET % b"/parked")
            parked.closed()
            with tenant.client() as late:  # must wait too: the one that was closed had no place to give
                late.send(GET % b"/late")
                with tenant.client(source=tenant.more_guests(1)[0]) as other:
                    other.send(GET % b"/other")
                    wait_for("another guest's request", lambda: len(agent.requests) > 1)
                    assert [request.target for request in agent.requests] == ["/busy", "/other"]
                    release.set()
                    assert target_seen(other.answer()) == "/other"
            assert target_seen(busy.answer()) == "/busy"


@pytest.fixture
def many_descriptors():
    """Room for more than a thousand sockets in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_guests_than_the_table_has_places_are_all_served(tenant, agent, many_descriptors):
    with Proxy(agent, netns=tenant.proxy) as proxy:
        worker = proxy.worker
        guests = []
        for address in tenant.more_guests(1300):
            guests.append(tenant.client(source=address))
            assert guests[-1].get().status == 200
        assert guests[0].closed() and guests[200].closed()  # idle for longest
        assert guests[-1].get().status == 200
        assert proxy.worker == worker
        close_all(guests)


@pytest.mark.measured
def test_1100_half_open_requests_do_not_delay_another_guest(tenant, agent, many_descriptors):
    greedy, modest = tenant.more_guests(2)
    with Proxy(agent, netns=tenant.proxy) as proxy:
        guests = half_open(tenant, 1100, greedy)
        waited = []
        for _ in range(20):
            start = time.monotonic()
            with tenant.client(source=modest) as other:
                assert other.get().status == 200
            waited.append(time.monotonic() - start)
        assert sorted(waited)[-3] < 0.1  # the machine may have had something else to do once or twice
        wait_for("the greedy one to give way", lambda: proxy.event("evicted"))
        assert {e["guest"] for e in proxy.events("evicted")} == {greedy}
        close_all(guests)
