"""The main job in one test: two tenants with the same addresses get their own answers through confined workers."""
import json

from harness import NETWORK, OTHER, Agent, Client, Proxy, Tenant


def ask(tenant, address="169.254.169.254"):
    with Client(tenant.guest.connect(address)) as guest:
        answer = guest.get("/latest/meta-data/instance-id")
        assert answer.status == 200
        return dict(json.loads(answer.body)["headers"])


def test_two_tenants_with_the_same_addresses_get_their_own_answers():
    with Tenant() as one, Tenant() as two, Agent() as agent:
        with Proxy(agent, netns=one.proxy, network=NETWORK), Proxy(agent, netns=two.proxy, network=OTHER):
            for tenant, network in ((one, NETWORK), (two, OTHER)):
                seen = ask(tenant)
                assert seen["X-Forwarded-For"] == Tenant.GUEST
                assert seen["X-Neutron-Network-ID"] == network


def test_ipv6_link_local_guests_are_named_without_a_zone(tenant, agent):
    with Proxy(agent, netns=tenant.proxy, listen=["169.254.169.254:80", "[fe80::a9fe:a9fe]:80%tap0"]):
        assert ask(tenant, "fe80::a9fe:a9fe%eth0")["X-Forwarded-For"] == "fe80::5"
        assert ask(tenant)["X-Forwarded-For"] == Tenant.GUEST
