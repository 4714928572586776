"""What is logged: golden lines, escaped bytes, both targets, a log daemon that goes and comes, a log nobody reads."""
import datetime
import os
import re
import signal
import struct
import subprocess

import pytest

import proc
from devlog import DevLog
from harness import DAEMON, NETWORK, OTHER, Agent, Proxy, wait_for

TAG = "metaward-" + NETWORK


def ok(request):
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(target="/", fields=""):
    return "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (target, fields)


def send(tenant, raw, finish=False):
    """Send bytes on a new connection. Returns the answer."""
    with tenant.client() as guest:
        guest.send(raw)
        if finish:
            guest.finish()
        return guest.answer()


def steady(line):
    """A line without what differs from run to run: time and durations."""
    return re.sub(r"(ms|queue_ms)=\d+", r"\1=N", line)


# What the guest sends, and the line about it behind its head.
REQUESTS = {
    "a request": (
        get("/latest/meta-data/"),
        'event=request guest=10.0.0.5 method="GET" target="/latest/meta-data/" status=200 reason=- bytes=40'),
    "a query": (
        get("/x?a=b&c=%20"), 'event=request guest=10.0.0.5 method="GET" target="/x?a=b&c=%20" status=200 reason=- bytes=40'),
    "a post": (
        "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        'event=request guest=10.0.0.5 method="POST" target="/p" status=200 reason=- bytes=40'),
    "an absolute target": (
        get("http://h/p"), 'event=request guest=10.0.0.5 method="GET" target="/p" status=200 reason=- bytes=40'),
    "quotes": (
        get('/"x\\y'), r'event=request guest=10.0.0.5 method="GET" target="/\x22x\x5cy" status=200 reason=- bytes=40'),
    "a forged line": (
        get('/"%0aevent=request%20guest=6.6.6.6'),
        r'event=request guest=10.0.0.5 method="GET" target="/\x22%0aevent=request%20guest=6.6.6.6" status=200 reason=- bytes=40'),
}
REFUSALS = {
    "no host": ("GET /x HTTP/1.1\r\n\r\n", 'method="GET" target="/x" status=400 reason=host'),
    "two hosts": (get("/x", "Host: y\r\n"), 'method="GET" target="/x" status=400 reason=host'),
    "no method": ("\x01 / HTTP/1.1\r\n\r\n", "method=- target=- status=400 reason=control"),
    "an unknown method": ("FOO /x HTTP/1.1\r\nHost: x\r\n\r\n", 'method="FOO" target="/x" status=501 reason=method-unknown'),
    "a refused method": ("TRACE /x HTTP/1.1\r\nHost: x\r\n\r\n", 'method="TRACE" target="/x" status=405 reason=method-refused'),
    "a bad target": (get("x"), 'method="GET" target="x" status=400 reason=target'),
    "a control character": ("GET /x HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n", 'method="GET" target="/x" status=400 reason=control'),
    "a line feed": ("GET /x HTTP/1.1\nHost: x\n\n", 'method="GET" target="/x" status=400 reason=line-end'),
    "a folded header": (get("/x", "X: y\r\n z\r\n"), 'method="GET" target="/x" status=400 reason=folded'),
    "a header without a colon": (get("/x", "X\r\n"), 'method="GET" target="/x" status=400 reason=field'),
    "another version": ("GET /x HTTP/2.0\r\n\r\n", 'method="GET" target="/x" status=505 reason=version'),
    "two lengths": (
        get("/x", "Content-Length: 1\r\nContent-Length: 1\r\n"), 'method="GET" target="/x" status=400 reason=length'),
    "length and coding": (
        get("/x", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        'method="GET" target="/x" status=400 reason=length-and-coding'),
    "an unknown coding": (get("/x", "Transfer-Encoding: gzip\r\n"), 'method="GET" target="/x" status=501 reason=coding-unknown'),
    "a bad chunk": (get("/x", "Transfer-Encoding: chunked\r\n") + "x\r\n", 'method="GET" target="/x" status=400 reason=chunk'),
    "an expectation": (get("/x", "Expect: y\r\n"), 'method="GET" target="/x" status=417 reason=expect'),
    "a long line": (get("/" + "x" * 3000), 'method="GET" target="/' + "x" * 508 + '..." status=414 reason=request-line-long'),
    "a long head": (get("/x", "X: %s\r\n" % ("y" * 9000)), 'method="GET" target="/x" status=431 reason=head-long'),
    "many fields": (get("/x", "X: y\r\n" * 70), 'method="GET" target="/x" status=431 reason=fields-many'),
    "a long body": (get("/x", "Content-Length: 99999\r\n"), 'method="GET" target="/x" status=413 reason=body-long'),
    "a cut request": ("GET /x HTTP/1.1\r\nHost", 'method="GET" target="/x" status=400 reason=cut'),
    "a cut line": ("GET /x HT", 'method="GET" target="/x" status=400 reason=cut'),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_the_line_about_a_request(tenant, what):
    raw, golden = REQUESTS[what]
    with Agent(ok) as agent, Proxy(agent, netns=tenant.proxy) as proxy:
        assert send(tenant, raw).status == 200
        line = wait_for("the line", lambda: [line for line in proxy.lines if "event=request" in line])[0]
    head, _, text = line.partition(": ")
    assert steady(text) == golden + " ms=N queue_ms=N"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d " + TAG, head)


@pytest.mark.parametrize("what", REFUSALS)
def test_the_line_about_a_refusal(tenant, agent, what):
    raw, golden = REFUSALS[what]
    with Proxy(agent, netns=tenant.proxy) as proxy:
        status = send(tenant, raw, finish=True).status
        line = wait_for("the line", lambda: [line for line in proxy.lines if "event=refused" in line])[0]
    assert line.partition(": ")[2] == "event=refused guest=10.0.0.5 " + golden
    assert "status=%d " % status in line


def test_no_byte_of_a_guest_can_break_a_line(tenant, agent):
    """Every byte at every place where the log quotes a guest."""
    with Proxy(agent, "--log-level", "events", netns=tenant.proxy) as proxy:
        for byte in range(256):
            for raw in (b"G%cT /x HTTP/1.1\r\n\r\n", b"GET /x%cevent=forged HTTP/1.1\r\n\r\n"):
                assert send(tenant, raw % byte, finish=True).status in (400, 501, 505)
        wait_for("the last line", lambda: [line for line in proxy.lines if r"event=refused" in line][400:])
        refused = [line for line in proxy.lines if "event=refused" in line]
    for line in refused:
        assert re.fullmatch(r"[ -~]+", line)
        text = line.partition(": ")[2]
        assert re.fullmatch(r'event=refused guest=10\.0\.0\.5 method=(-|"[^"]*") target=(-|"[^"]*") status=\d+ reason=[a-z-]+', text)


def test_only_what_failed_is_logged_on_request(tenant):
    with Agent(ok) as agent, Proxy(agent, "--log-level", "events", netns=tenant.proxy) as proxy:
        assert send(tenant, get("/good")).status == 200
        assert send(tenant, "GET /bad\r\n\r\n").status == 400
        agent.stop()
        assert send(tenant, get("/absent")).status == 503
        wait_for("the lines", lambda: proxy.event("refused") and proxy.event("agent-absent") and proxy.event("request"))
        assert [e["target"] for e in proxy.events("request")] == ["/absent"]


def test_the_time_is_local(tenant, agent, tmp_path):
    zone = tmp_path / "zone"  # half past, so that no usual zone is taken for it
    data = b"TZif2" + bytes(15) + struct.pack(">6L", 0, 0, 0, 0, 1, 4) + struct.pack(">lBB", 20700, 0, 0) + b"TST\0"
    zone.write_bytes(data * 2 + b"\n<+0545>-5:45\n")
    under = ("unshare", "--mount", "--propagation", "private", "sh", "-c",
             'mount --bind "$0" /etc/localtime && exec "$@"', str(zone))
    with Proxy(agent, netns=tenant.proxy, under=under) as proxy:
        assert send(tenant, get()).status == 200
        line = wait_for("the line", lambda: [line for line in proxy.lines if "event=request" in line])[0]
    assert line[:25].endswith("+05:45")
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(line[:25])
    assert abs(age.total_seconds()) < 30


@pytest.mark.parametrize("target", ["none", "syslog"])
def test_nothing_is_written_to_stderr_once_it_serves(tenant, tmp_path, target):
    with DevLog(tmp_path) as daemon, Agent(ok) as agent:
        with Proxy(agent, netns=tenant.proxy, log=target, under=daemon.under) as proxy:
            assert send(tenant, get()).status == 200
            assert send(tenant, "GET /bad\r\n\r\n").status == 400
            agent.stop()
            assert send(tenant, get()).status == 503
            worker = proxy.worker
            os.kill(worker, signal.SIGKILL)
            wait_for("another worker", lambda: proxy.worker != worker)
            agent.start()
            assert send(tenant, get()).status == 200
        assert [line for line in proxy.lines if "event=confinement-delta" not in line] == []  # of sanitized builds
        assert (daemon.lines == []) == (target == "none")


# To syslog


def guests_lines(daemon):
    return [line.decode("ascii") for line in daemon.lines if b"guest=" in line]


@pytest.fixture
def daemon(tmp_path):
    with DevLog(tmp_path) as made:
        yield made


def test_a_syslog_line_is_as_rfc_3164_has_it(tenant, daemon):
    with Agent(ok) as agent, Proxy(agent, netns=tenant.proxy, log="syslog", under=daemon.under):
        before = datetime.datetime.now().replace(microsecond=0)
        assert send(tenant, get("/good")).status == 200
        assert send(tenant, "GET /bad\r\n\r\n").status == 400
        agent.stop()
        assert send(tenant, get("/absent")).status == 503
        lines = wait_for("the lines", lambda: len(guests_lines(daemon)) == 3 and guests_lines(daemon))
        after = datetime.datetime.now()
    severities = []
    for line in lines:
        match = re.fullmatch(r"<(\d+)>([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d) (\S+): (event=.*)", line)
        assert match, line
        assert match.group(5) == TAG
        shown = datetime.datetime.strptime("%d %s" % (before.year, line[4:19]), "%Y %b %d %H:%M:%S")
        assert before - datetime.timedelta(seconds=2) <= shown <= after
        assert divmod(int(match.group(1)), 8)[0] == 3  # daemon
        severities.append(int(match.group(1)) % 8)
    assert severities == [6, 5, 5]  # info, notice, notice
    warnings = [line for line in daemon.lines if b"event=agent-absent" in line]
    assert len(warnings) == 1 and warnings[0].startswith(b"<28>")


def test_every_syslog_line_of_worker_and_parent_says_which_network(tenant, agent, daemon):
    with Proxy(agent, netns=tenant.proxy, log="syslog", under=daemon.under, network=OTHER) as proxy:
        worker = proxy.worker
        assert send(tenant, get()).status == 200
        os.kill(worker, signal.SIGKILL)
        wait_for("another worker", lambda: [line for line in daemon.lines if b"event=serving" in line][1:])
        os.kill(proxy.nursery, signal.SIGKILL)
        assert proxy.process.wait(10) == 39
    assert len(daemon.lines) >= 4
    for line in daemon.lines:
        assert re.match(rb"<\d+>(\w{3} [ \d]\d [\d:]{8} )?metaward-%s: " % OTHER.encode(), line), line
        assert b"\n" not in line


def test_facility_and_tag_of_every_syslog_line(tenant, agent, daemon):
    tag = "haproxy-metadata-proxy-" + NETWORK
    with Proxy(agent, "--log-facility", "local0", "--log-tag", tag, netns=tenant.proxy, log="syslog", under=daemon.under) as proxy:
        assert send(tenant, get()).status == 200
        os.kill(proxy.worker, signal.SIGKILL)
        wait_for("another worker", lambda: [line for line in daemon.lines if b"event=serving" in line][1:])
        assert send(tenant, "GET /bad\r\n\r\n").status == 400
        wait_for("the last line", lambda: [line for line in daemon.lines if b"event=refused" in line])
    for line in daemon.lines:
        match = re.match(rb"<(\d+)>(?:\w{3} [ \d]\d [\d:]{8} )?(\S+): event=", line)
        assert match and int(match.group(1)) // 8 == 16 and match.group(2) == tag.encode(), line


def test_a_log_daemon_that_is_restarted_gets_lines_again_and_the_number_of_lost_ones(tenant, daemon):
    with Agent(ok) as agent, Proxy(agent, netns=tenant.proxy, log="syslog", under=daemon.under) as proxy:
        worker = proxy.worker
        held = {pid: len(proc.descriptors(pid)) for pid in (proxy.pid, worker)}
        assert send(tenant, get("/before")).status == 200
        wait_for("the line", lambda: guests_lines(daemon))
        for _ in range(2):
            daemon.stop()
            for _ in range(5):
                assert send(tenant, get("/lost")).status == 200
            daemon.start()
            daemon.lines.clear()
            wait_for("lines again", lambda: send(tenant, get("/again")) and guests_lines(daemon))
            lost = [line for line in daemon.lines if b"log-lost" in line]
            assert len(lost) == 1
            assert int(re.search(rb"count=(\d+)", lost[0]).group(1)) >= 5
        assert proxy.worker == worker
        wait_for("as many descriptors", lambda: {pid: len(proc.descriptors(pid)) for pid in held} == held)


def test_a_log_daemon_that_is_absent_at_the_start_is_taken_up_when_it_comes(tenant, daemon):
    daemon.stop()
    with Agent(ok) as agent, Proxy(agent, netns=tenant.proxy, log="syslog", under=daemon.under) as proxy:
        assert send(tenant, get()).status == 200
        assert [line for line in proxy.lines if "event=log-absent" in line and "/dev/log" in line]
        daemon.start()
        wait_for("a line", lambda: send(tenant, get("/now")) and guests_lines(daemon))


def test_a_worker_that_is_started_while_the_log_daemon_is_away_logs_when_it_is_back(tenant, daemon):
    with Agent(ok) as agent, Proxy(agent, netns=tenant.proxy, log="syslog", under=daemon.under) as proxy:
        daemon.stop()
        worker = proxy.worker
        os.kill(worker, signal.SIGKILL)
        wait_for("another worker", lambda: proxy.worker != worker)
        assert send(tenant, get()).status == 200
        daemon.start()
        wait_for("a line", lambda: send(tenant, get("/now")) and guests_lines(daemon))


# A log that nobody reads must not stop the service.


def ask_many(tenant, count=500):
    with tenant.client() as guest:
        for _ in range(count):
            assert guest.get().status == 200


def test_a_log_daemon_that_does_not_read_holds_nobody_up(tenant, daemon):
    daemon.stop()
    daemon.start(read=False)
    with Agent(ok) as agent, Proxy(agent, netns=tenant.proxy, log="syslog", under=daemon.under) as proxy:
        ask_many(tenant)
        assert proxy.stop() == 0


@pytest.mark.parametrize("reader", ["asleep", "gone"])
def test_a_stderr_that_nobody_reads_holds_nobody_up(tenant, reader):
    with Agent(ok) as agent:
        process = subprocess.Popen([DAEMON, "--netns", tenant.proxy.name, "--network-id", NETWORK, "--user", "nobody",
                                    "--log", "stderr", "--metadata-proxy-socket", agent.path], stderr=subprocess.PIPE)
        try:
            for line in process.stderr:
                if b"event=serving" in line:
                    break
            if reader == "gone":
                process.stderr.close()
            ask_many(tenant, 1500)
            assert process.poll() is None
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            process.stderr.close()
