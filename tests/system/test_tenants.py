"""Who is asking: each tenant's guests are told apart by where they connect, never by what they say."""
import json
import os
import subprocess

import pytest

from harness import NETWORK, OTHER, Agent, Proxy, Tenant, start_failing, together, wait_for

BOTH = ["169.254.169.254:80", "[fe80::a9fe:a9fe]:80%tap0"]
ADDRESS = "fe80::a9fe:a9fe/64"
LINK_LOCAL = "fe80::a9fe:a9fe%eth0"


def seen_by_agent(tenant, address="169.254.169.254", port=80, target="/"):
    """What the agent saw of one request: its header fields as a list."""
    with tenant.client(address, port) as guest:
        answer = guest.get(target)
    assert answer.status == 200
    seen = json.loads(answer.body)
    assert seen["target"] == target
    return [tuple(field) for field in seen["headers"]]


@pytest.fixture
def two_tenants():
    with Tenant() as one, Tenant() as two, Agent() as agent:
        with Proxy(agent, netns=one.proxy, network=NETWORK, listen=BOTH):
            with Proxy(agent, netns=two.proxy, network=OTHER, listen=BOTH):
                yield {NETWORK: one, OTHER: two}


@pytest.mark.parametrize("address, source", [("169.254.169.254", Tenant.GUEST), (LINK_LOCAL, "fe80::5")])
def test_one_guest_address_in_two_tenants_means_two_guests(two_tenants, address, source):
    for network, tenant in two_tenants.items():
        seen = seen_by_agent(tenant, address)
        assert seen[:2] == [("X-Forwarded-For", source), ("X-Neutron-Network-ID", network)]


def test_requests_of_two_tenants_at_the_same_time_are_never_mixed_up(two_tenants):
    def many_requests(number):
        network, tenant = list(two_tenants.items())[number % 2]
        address = ("169.254.169.254", LINK_LOCAL)[number // 2 % 2]
        with tenant.client(address) as guest:
            for i in range(50):
                target = "/%s/%d/%d" % (network, number, i)
                answer = guest.get(target)
                assert answer.status == 200
                seen = json.loads(answer.body)
                assert seen["target"] == target
                assert dict(seen["headers"])["X-Neutron-Network-ID"] == network
        return True

    assert all(together(many_requests, range(12)))


@pytest.mark.parametrize("identity, option, header", [
    ("neutron", "--network-id", "X-Neutron-Network-ID"), ("neutron", "--router-id", "X-Neutron-Router-ID"),
    ("ovn", "--network-id", "X-OVN-Network-ID"), ("ovn", "--router-id", "X-OVN-Router-ID")])
def test_the_identity_header_follows_the_options(tenant, agent, identity, option, header):
    with Proxy(agent, option, OTHER, "--identity", identity, network=None, netns=tenant.proxy):
        seen = seen_by_agent(tenant)
    assert seen[:2] == [("X-Forwarded-For", Tenant.GUEST), (header, OTHER)]
    assert not [name for name, _ in seen[2:] if name.lower().startswith(("x-neutron", "x-ovn"))]


def test_the_router_form_serves_both_families_on_one_listener(tenant, agent):
    with Proxy(agent, netns=tenant.proxy, listen=["[::]:9697"]):
        seen = dict(seen_by_agent(tenant, "169.254.169.254", 9697))
        assert seen["X-Forwarded-For"] == Tenant.GUEST  # not ::ffff:10.0.0.5
        seen = dict(seen_by_agent(tenant, LINK_LOCAL, 9697))
        assert seen["X-Forwarded-For"] == "fe80::5"  # no zone id


def test_the_router_form_for_ipv4_only_does_not_listen_on_ipv6(tenant, agent):
    with Proxy(agent, netns=tenant.proxy, listen=["0.0.0.0:9697"]):
        assert dict(seen_by_agent(tenant, port=9697))["X-Forwarded-For"] == Tenant.GUEST
        with pytest.raises(ConnectionRefusedError):
            tenant.client(LINK_LOCAL, 9697)


def test_sixteen_listeners_are_all_served(tenant, agent):
    with Proxy(agent, netns=tenant.proxy, listen=["10.0.0.1:%d" % port for port in range(9000, 9016)]):
        for port in range(9000, 9016):
            assert dict(seen_by_agent(tenant, "10.0.0.1", port))["X-Forwarded-For"] == Tenant.GUEST


def test_a_second_proxy_at_the_same_address_does_not_start(tenant, agent):
    with Proxy(agent, netns=tenant.proxy):
        status, errors = start_failing("--network-id", OTHER, "--netns", tenant.proxy.name, "--user", "nobody",
                                       "--metadata-proxy-socket", agent.path)
        lines = [line for line in errors.splitlines() if "event=confinement-delta" not in line]  # of sanitized builds
        assert status == 18 and len(lines) == 1
        assert "169.254.169.254:80" in lines[0] and "EADDRINUSE" in lines[0]
        for _ in range(20):  # and takes no request away
            assert dict(seen_by_agent(tenant))["X-Neutron-Network-ID"] == NETWORK


def test_a_mapped_address_in_the_log_is_an_ipv4_address(tenant, agent):
    with Proxy(agent, netns=tenant.proxy, listen=["[::]:9697"]) as proxy:
        seen_by_agent(tenant, "169.254.169.254", 9697)
        assert wait_for("the log line", lambda: proxy.event("request"))["guest"] == Tenant.GUEST


def test_started_inside_the_namespace_it_needs_no_netns_option(tenant, agent):
    with Proxy(agent, listen=BOTH, under=("ip", "netns", "exec", tenant.proxy.name)):
        assert dict(seen_by_agent(tenant))["X-Forwarded-For"] == Tenant.GUEST
        assert dict(seen_by_agent(tenant, LINK_LOCAL))["X-Forwarded-For"] == "fe80::5"


def test_the_namespace_can_be_given_by_its_path(tenant, agent):
    with Proxy(agent, netns=tenant.proxy.path):
        assert dict(seen_by_agent(tenant))["X-Forwarded-For"] == Tenant.GUEST


def test_the_namespace_can_be_that_of_a_process(tenant, agent):
    holder = subprocess.Popen(["ip", "netns", "exec", tenant.proxy.name, "cat"], stdin=subprocess.PIPE)
    path = "/proc/%d/ns/net" % holder.pid
    try:
        wait_for("the process to be in the namespace", lambda: os.path.samefile(path, tenant.proxy.path))
        with Proxy(agent, netns=path):
            assert dict(seen_by_agent(tenant))["X-Forwarded-For"] == Tenant.GUEST
    finally:
        holder.stdin.close()
        holder.wait()


def give_address_that_stays_tentative(tenant):
    """Give the tap its address anew, with so many probes for duplicates that the test is over before they are."""
    take_address(tenant)
    with tenant.proxy.inside():
        with open("/proc/sys/net/ipv6/conf/%s/dad_transmits" % tenant.tap, "w") as f:
            f.write("600")
    tenant.proxy.ip("addr", "add", ADDRESS, "dev", tenant.tap)
    assert is_tentative(tenant)


def take_address(tenant):
    tenant.proxy.ip("addr", "del", ADDRESS, "dev", tenant.tap)


def give_address(tenant):
    tenant.proxy.ip("addr", "add", ADDRESS, "dev", tenant.tap, "nodad")


def is_tentative(tenant):
    return "fe80::a9fe:a9fe" in tenant.proxy.ip("-6", "addr", "show", "dev", tenant.tap, "tentative")


def test_a_tentative_address_neither_fails_nor_delays_the_start(tenant, agent):
    give_address_that_stays_tentative(tenant)
    with Proxy(agent, netns=tenant.proxy, listen=BOTH):
        assert dict(seen_by_agent(tenant))["X-Forwarded-For"] == Tenant.GUEST
        assert is_tentative(tenant)
        take_address(tenant)
        give_address(tenant)
        assert dict(seen_by_agent(tenant, LINK_LOCAL))["X-Forwarded-For"] == "fe80::5"


def test_an_address_that_comes_after_the_start_is_served(tenant, agent):
    take_address(tenant)
    with Proxy(agent, netns=tenant.proxy, listen=BOTH):
        assert dict(seen_by_agent(tenant))["X-Forwarded-For"] == Tenant.GUEST
        give_address(tenant)
        assert dict(seen_by_agent(tenant, LINK_LOCAL))["X-Forwarded-For"] == "fe80::5"


def test_an_address_that_goes_and_comes_back_is_served_again(tenant, agent):
    with Proxy(agent, netns=tenant.proxy, listen=BOTH):
        assert dict(seen_by_agent(tenant, LINK_LOCAL))["X-Forwarded-For"] == "fe80::5"
        take_address(tenant)
        give_address(tenant)
        assert dict(seen_by_agent(tenant, LINK_LOCAL))["X-Forwarded-For"] == "fe80::5"
