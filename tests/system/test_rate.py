"""Rate limits: the Nth request of a guest passes and the next one does not, whatever the family; as HAProxy counts."""
import os
import signal
import subprocess
import time

import pytest

from harness import PATIENCE, Proxy, wait_for

V4, V6 = "169.254.169.254", "fe80::a9fe:a9fe%eth0"
LISTEN = ["169.254.169.254:80", "[fe80::a9fe:a9fe]:80%tap0"]
HAPROXY = "/usr/sbin/haproxy"
REQUEST = "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"


def statuses(tenant, count, **where):
    """The answers' statuses to so many requests on one connection."""
    with tenant.client(**where) as guest:
        return [guest.get("/%d" % i).status for i in range(count)]


def test_one_more_than_the_limit(tenant, agent):
    with Proxy(agent, "--rate-limit", "5/60s", netns=tenant.proxy) as proxy, tenant.client() as guest:
        for i in range(5):
            assert guest.get("/%d" % i).status == 200
        refused = guest.get("/5")
        assert refused.status == 429
        assert refused.body == b"429 Too Many Requests\n"
        assert refused.header("Connection") == "keep-alive"
        assert 60 <= int(refused.header("Retry-After")) + 2 and int(refused.header("Retry-After")) <= 60
        assert guest.get("/6", method="HEAD").status == 429  # on the same connection
        assert statuses(tenant, 2) == [429, 429]  # and on another one
        line = wait_for("the log line", lambda: proxy.event("refused"))
        assert (line["status"], line["reason"], line["target"], line["guest"]) == ("429", "rate-limited", "/5", tenant.GUEST)
    assert [request.target for request in agent.requests] == ["/%d" % i for i in range(5)]


def test_every_guest_for_itself_in_both_families(tenant, agent):
    tenant.guest.ip("addr", "add", "fe80::6/64", "dev", "eth0", "nodad")
    with Proxy(agent, "--rate-limit", "3/60s", netns=tenant.proxy, listen=LISTEN):
        for where in [{"source": address} for address in tenant.more_guests(2)] + [
                {}, {"address": V6, "source": "fe80::5%eth0"}, {"address": V6, "source": "fe80::6%eth0"}]:
            assert statuses(tenant, 5, **where) == [200, 200, 200, 429, 429], where


def test_a_mapped_address_is_the_same_guest(tenant, agent):
    with Proxy(agent, "--rate-limit", "3/60s", netns=tenant.proxy, listen=["169.254.169.254:80", "[::]:8080"]):
        assert statuses(tenant, 2) == [200, 200]
        assert statuses(tenant, 2, port=8080) == [200, 429]


def test_both_windows_hold(tenant, agent):
    with Proxy(agent, "--rate-limit", "6/60s", "--rate-limit", "2/1s", netns=tenant.proxy), tenant.client() as guest:
        assert [guest.get().status for _ in range(3)] == [200, 200, 429]
        assert guest.get().header("Retry-After") == "1"
        # After the silence that was asked for bursts are allowed again, and two requests are left of the six.
        time.sleep(1.05)
        assert [guest.get().status for _ in range(3)] == [200, 200, 429]
        assert int(guest.get().header("Retry-After")) > 50


def test_retry_after_is_true(tenant, agent):
    with Proxy(agent, "--rate-limit", "2/2s", netns=tenant.proxy), tenant.client() as guest:
        assert [guest.get().status for _ in range(2)] == [200, 200]
        refused = guest.get()
        assert refused.status == 429
        time.sleep(int(refused.header("Retry-After")))
        assert guest.get().status == 200


def test_bodies(tenant, agent):
    """Nothing is waited for: a body that is there is skipped, behind one that is not the connection ends."""
    with Proxy(agent, "--rate-limit", "1/60s", netns=tenant.proxy), tenant.client() as guest:
        assert guest.get().status == 200
        refused = guest.get("/whole", "POST", "Content-Length: 5\r\n", b"GET /")
        assert (refused.status, refused.header("Connection")) == (429, "keep-alive")
        refused = guest.get("/later", "POST", "Content-Length: 5\r\nExpect: 100-continue\r\n")
        assert (refused.status, refused.header("Connection")) == (429, "close")
        assert guest.closed()
        for fields, body in (("Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"), ("Connection: close\r\n", b"")):
            with tenant.client() as other:
                refused = other.get("/", "POST", fields, body)
                assert (refused.status, refused.header("Connection")) == (429, "close")
                assert other.closed()
    assert len(agent.requests) == 1


def test_what_is_malformed_does_not_count(tenant, agent):
    with Proxy(agent, "--rate-limit", "1/60s", netns=tenant.proxy):
        for _ in range(3):
            with tenant.client() as guest:
                guest.send("GET / HTTP/1.1\r\n\r\n")
                assert guest.answer().status == 400
        assert statuses(tenant, 2) == [200, 429]


def test_pipelined(tenant, agent):
    """Many refusals at once: in order, each one, and another guest is served in between."""
    count = 300
    with Proxy(agent, "--rate-limit", "2/60s", netns=tenant.proxy, log="none"), tenant.client() as guest:
        guest.send("".join(REQUEST % i for i in range(count)))
        assert statuses(tenant, 1, source=tenant.more_guests(1)[0]) == [200]
        assert [guest.answer().status for _ in range(count)] == [200] * 2 + [429] * (count - 2)
        assert guest.get("/").status == 429


def test_shadow(tenant, agent):
    with Proxy(agent, "--rate-limit", "3/60s", "--rate-limit-shadow", netns=tenant.proxy) as proxy:
        assert statuses(tenant, 20) == [200] * 20
        assert statuses(tenant, 3, source=tenant.more_guests(1)[0]) == [200] * 3
        line = wait_for("the log line", lambda: proxy.event("rate-limited"))
        assert {name: line[name] for name in ("guest", "shadow", "limit", "period_s", "rate")} == {
            "guest": tenant.GUEST, "shadow": "1", "limit": "3", "period_s": "60", "rate": "4"}
        wait_for("the last line", lambda: len(proxy.events("request")) == 23)
        assert len(proxy.events("rate-limited")) < 5  # at most one a second
    assert len(agent.requests) == 23


@pytest.mark.measured
@pytest.mark.plain
def test_no_memory_without_a_limit(tenant, agent):
    """The table is reserved in any case, but its pages are not touched."""
    def touched(*options):
        with Proxy(agent, *options, netns=tenant.proxy) as proxy:
            for source in tenant.more_guests(60):
                assert statuses(tenant, 1, source=source) == [200]
            with open("/proc/%d/smaps_rollup" % proxy.worker) as f:  # the only exact count there is
                return next(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))
    assert touched("--rate-limit", "1/1") - touched() > 50  # kB; the guests are all over the hash table


class Window:
    """The documented counting, to know which decisions a few milliseconds could change."""

    def __init__(self, limit, period):
        self.limit, self.period, self.start, self.last, self.now, self.before = limit, period, 0.0, None, 0, 0

    def count(self, at):
        if self.last is None or at - self.last >= self.period:
            self.start, self.now, self.before = at, 0, 0
        elif at - self.start >= self.period:
            self.start, self.before, self.now = self.start + self.period, self.now, 0
        self.now, self.last = self.now + 1, at

    def beyond(self, at):
        return self.now + int(self.before * (self.start + self.period - at) / self.period) > self.limit


CONFIGURATION = """
defaults
    mode http
    timeout client 9s
    timeout connect 9s
    timeout server 9s
backend base
    stick-table type ip size 10k expire 2s store http_req_rate(2s)
backend burst
    stick-table type ip size 10k expire 1s store http_req_rate(1s)
listen listener
    bind 169.254.169.254:8080
    http-request track-sc0 src table base
    http-request track-sc1 src table burst
    http-request deny deny_status 429 if { src_http_req_rate(base) gt 12 }
    http-request deny deny_status 429 if { src_http_req_rate(burst) gt 7 }
    http-request return status 200
"""

# Seconds before each request: a burst, single ones, a silence longer than the short period, a burst, and so on.
PAUSES = [0] * 9 + [0.11] * 14 + [0.62] + [0.03] * 6 + [1.35] + [0] * 9 + [0.23] * 4 + [2.3] + [0] * 8 + [0.31] * 2


@pytest.mark.measured
@pytest.mark.skipif(not os.access(HAPROXY, os.X_OK), reason="no HAProxy here")
def test_as_haproxy_counts(tenant, agent, tmp_path):
    file = tmp_path / "haproxy.cfg"
    file.write_text(CONFIGURATION)
    other = subprocess.Popen(["ip", "netns", "exec", tenant.proxy.name, HAPROXY, "-db", "-f", str(file)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("HAProxy to listen", lambda: ":8080 " in subprocess.run(
            ["ip", "netns", "exec", tenant.proxy.name, "ss", "-ltn"], capture_output=True, text=True, check=False).stdout)
        with Proxy(agent, "--rate-limit", "12/2s", "--rate-limit", "7/1s", netns=tenant.proxy):
            compare(tenant)
    finally:
        other.send_signal(signal.SIGTERM)
        other.wait(PATIENCE)


def compare(tenant):
    windows = Window(12, 2.0), Window(7, 1.0)
    seen = []
    for pause in PAUSES:
        time.sleep(pause)
        at = time.monotonic()
        pair = [ask(tenant, port) for port in (80, 8080)]
        for window in windows:
            window.count(at)
        # The clocks of both sides and the way to them: what differs within that time may differ.
        certain = {any(window.beyond(at + shift) for window in windows) for shift in (-0.03, 0, 0.03)}
        seen.append((pair, certain))
    for number, (pair, certain) in enumerate(seen):
        if len(certain) == 1:
            expected = 429 if True in certain else 200
            assert pair == [expected, expected], "request %d of %r" % (number, seen)
    sure = [pair for pair, certain in seen if len(certain) == 1]
    assert len(sure) > len(seen) * 0.7 and sum(pair[0] == 429 for pair in sure) > 10


def ask(tenant, port):
    with tenant.client(port=port) as guest:
        return guest.get("/", headers="Connection: close\r\n").status
