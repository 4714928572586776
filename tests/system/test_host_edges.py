"""The host daemon where somebody goes in the wrong moment, hands over the wrong thing, or leaves nothing to work with."""
import contextlib
import json
import os
import resource
import socket
import struct
import subprocess
import uuid

import pytest

import proc
from harness import Agent, Tenant, echo, unique, wait_for
from host import REFUSED, Crowd, Host, ctl
from shared import agent  # noqa: F401
from test_control import GROUP, LEASE, STRANGER, add, closed_to, listed, raw, request, request_size, spec_of  # noqa: F401

ADD, ERROR = 1, 2


@pytest.fixture(scope="module")
def tenant():
    with Tenant() as made:
        yield made


@pytest.fixture(scope="module")
def idle(agent):
    with Host(agent) as host:
        yield host


def descriptors(host):
    return sorted(proc.descriptors(host.pid).values())


def ask(host, kind, identity, netns, descriptor):
    """Ask on a connection of its own. @return that, and the answer's type and text"""
    sock = raw(host)
    socket.send_fds(sock, [request(kind, spec_of(identity, netns))], [descriptor])
    answer = sock.recv(4096)
    return sock, struct.unpack_from("<HH", answer)[1], answer


def test_a_namespace_that_is_named_and_handed_over_is_let_go(idle):
    """The name is what is followed: nothing keeps the namespace."""
    with Crowd(1) as crowd:
        identity, name = crowd.ids[0], crowd.names[0]
        add(idle, identity, name)
        wait_for("the network to serve", lambda: listed(idle)[identity]["state"] == "serving")
        assert not [path for path in descriptors(idle) if name in path]
        subprocess.run(["umount", "/run/netns/" + name], check=True)
        wait_for("the namespace to be let go", lambda: listed(idle)[identity]["state"] == "waiting")
        ctl(idle, "remove", identity)


def test_a_name_in_the_place_of_a_descriptor_leaves_none(idle):
    identity, before = str(uuid.uuid4()), descriptors(idle)
    with Crowd(1) as crowd:
        for _ in range(3):
            with open("/run/netns/" + crowd.names[0], "rb") as netns:
                assert ask(idle, ADD, identity, "", netns.fileno())[1] != ERROR
            add(idle, identity, unique("mwabsent"))
        ctl(idle, "remove", identity)
    wait_for("the same descriptors as before", lambda: descriptors(idle) == before)


@pytest.mark.parametrize("what", ["file", "process", "other"])
def test_what_is_no_network_namespace_is_refused(idle, what):
    """The descriptor of a process would do for setns(): its namespace, whatever whoever asks may open."""
    before = descriptors(idle)
    opened = os.pidfd_open(os.getpid()) if what == "process" else os.open("/dev/null" if what == "file" else "/proc/self/ns/uts", os.O_RDONLY)
    sock, kind, answer = ask(idle, ADD, str(uuid.uuid4()), "", opened)
    os.close(opened)
    assert kind == ERROR and b"no network namespace" in answer
    sock.close()
    assert listed(idle) == {}
    wait_for("the same descriptors as before", lambda: descriptors(idle) == before)


def test_a_member_of_the_group_hands_nothing_over(agent, tenant):
    """To close what somebody else serves can take for ever: it never becomes the daemon's."""
    identity = str(uuid.uuid4())
    with Host(agent, control_group=str(GROUP)) as host:
        before = descriptors(host)
        os.setegid(GROUP)
        os.seteuid(STRANGER)
        try:
            sock = raw(host)
        finally:
            os.seteuid(0)
            os.setegid(0)
        with open("/run/netns/" + tenant.proxy.name, "rb") as netns:
            socket.send_fds(sock, [request(ADD, spec_of(identity, tenant.proxy.name))], [netns.fileno()])
        assert sock.recv(4096) == b""
        sock.close()
        assert wait_for("the log line", lambda: host.event("control-refused"))["user"] == str(STRANGER)
        assert listed(host) == {}
        wait_for("the same descriptors as before", lambda: descriptors(host) == before)
        said = ctl(host, "add", "--network-id", identity, status=REFUSED, user=STRANGER, group=GROUP)
        assert said == "metawardctl: only root may hand over a namespace: name one below /run/netns/\n"
        add(host, identity, tenant.proxy.name, user=STRANGER, group=GROUP)


def test_a_lease_whose_holder_goes_at_once_is_over(idle, tenant):
    identity = str(uuid.uuid4())
    for _ in range(3):
        sock = raw(idle)
        with open("/run/netns/" + tenant.proxy.name, "rb") as netns:
            socket.send_fds(sock, [request(LEASE, spec_of(identity, ""))], [netns.fileno()])
        sock.close()
        wait_for("the request to be met", lambda: any("request=lease network=" + identity in line for line in list(idle.lines)))
        wait_for("the network to be gone", lambda: listed(idle) == {})
        idle.lines.clear()
    wait_for("the listener's end", lambda: closed_to(tenant))  # the worker is told before, and may do it after


def test_a_network_that_is_changed_is_served_as_before(idle, tenant):
    identity = str(uuid.uuid4())
    add(idle, identity, tenant.proxy.name)
    wait_for("the network to serve", lambda: listed(idle)[identity]["state"] == "serving")
    add(idle, identity, tenant.proxy.name, "--rate-limit", "100/1s")
    assert listed(idle)[identity]["rate_limits"] and listed(idle)[identity]["state"] == "serving"
    add(idle, identity, tenant.proxy.name, "--listen", "169.254.169.254:80", "--listen", "192.0.2.1:80")
    wait_for("an address that is not there", lambda: listed(idle)[identity]["state"] == "waiting")
    add(idle, identity, tenant.proxy.name, "--listen", "169.254.169.254:80")
    assert listed(idle)[identity]["state"] == "serving" and not closed_to(tenant)
    ctl(idle, "remove", identity)


def test_each_network_is_counted_where_each_has_a_worker(agent):
    with Tenant() as one, Tenant() as other, Host(agent, isolation="network") as host:
        tenants = {str(uuid.uuid4()): one, str(uuid.uuid4()): other}
        for number, (identity, tenant) in enumerate(tenants.items(), 1):
            add(host, identity, tenant.proxy.name)
            wait_for("the network to serve", lambda tenant=tenant: not closed_to(tenant))
            with tenant.client() as guest:
                for _ in range(number):
                    assert guest.get().status == 200
        for number, identity in enumerate(tenants, 1):
            wait_for("the count", lambda identity=identity, number=number:
                     json.loads(ctl(host, "--json", "stats", identity))["requests"]["2xx"] == number)


def test_a_bad_file_is_listed_while_the_daemon_drains(tenant):
    def late(asked):
        return [1.0, echo(asked)]
    with Agent(late) as slow, Host(slow, {"good": (str(uuid.uuid4()), tenant.proxy), "bad": "nonsense\n"}) as host:
        with tenant.client() as guest:
            guest.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for("the agent to be asked", lambda: slow.requests)
            ctl(host, "drain", "--all")
            rows = json.loads(ctl(host, "--json", "list"))
            assert guest.answer().status == 200
        assert sorted(row["state"] for row in rows) == ["draining", "failed"]


def leave_free(host, count):
    """Lower the daemon's limit until so many numbers of descriptors are free."""
    used = {int(number) for number in os.listdir("/proc/%d/fd" % host.pid)}
    limit = next(most for most in range(1000) if most - sum(number < most for number in used) == count)
    resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (limit, resource.prlimit(host.pid, resource.RLIMIT_NOFILE)[1]))


def test_without_descriptors_it_goes_on(agent):
    """Networks that there are no descriptors for wait, until there are."""
    with Crowd(10) as crowd, Host(agent) as host:
        leave_free(host, 6)
        for identity, name in zip(crowd.ids, crowd.names):
            with raw(host) as sock:
                sock.settimeout(0.3)
                with contextlib.suppress(TimeoutError):
                    sock.send(request(ADD, spec_of(identity, name)))
                    sock.recv(4096)
        assert host.process.poll() is None
        assert any("error=EMFILE" in line for line in host.lines)
        with crowd.client(0) as guest:
            assert guest.get().status == 200
        leave_free(host, 100)
        wait_for("all to be served", lambda: [row["state"] for row in listed(host).values()].count("serving") >= 4)
        assert {row["state"] for row in listed(host).values()} <= {"serving", "waiting"}
