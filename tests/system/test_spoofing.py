"""A guest that says who it is: the agent hears only what the proxy says, whatever the guest has sent."""
import itertools

import pytest

from harness import NETWORK, OTHER, Agent, Proxy, Tenant
from ours import assert_only_ours

FORGED = "6.6.6.6"
NAMES = [
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "Forwarded",
    "Via", "X-Real-IP", "X-Client-IP", "X-Neutron-Network-ID", "X-Neutron-Router-ID", "X-Neutron-Anything",
    "X-OVN-Network-ID", "X-OVN-Router-ID", "X-Instance-ID", "X-Instance-ID-Signature", "X-Tenant-ID", "X-Project-ID",
    "X-Metadata-Provider", "X-Metadata-Provider-Signature"]
SPELLINGS = {
    "as it is": lambda name: name,
    "lower case": lambda name: name.lower(),
    "upper case": lambda name: name.upper(),
    "underscores": lambda name: name.replace("-", "_"),
    "one underscore": lambda name: name.replace("-", "_", 1),
    "mixed": lambda name: "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(name.replace("-", "_", 1))),
}
_targets = itertools.count()


@pytest.fixture(scope="module", params=["list", "all"])
def place(request):
    with Tenant() as tenant, Agent() as agent:
        with Proxy(agent, "--forward-headers", request.param, netns=tenant.proxy):
            yield tenant, agent


def new_target():
    return "/case-%d-" % next(_targets)


def send(place, raw):
    """Send bytes on a connection of their own, and read to its end: the statuses of all answers."""
    statuses = []
    with place[0].client() as guest:
        guest.send(raw)
        guest.sock.shutdown(1)
        while True:
            answer = guest.answer()
            if answer is None:
                return statuses
            statuses.append(answer.status)


def requests_for(place, mark):
    return [request for request in place[1].requests if mark.encode() in request.raw]


def the_one_request(place, mark):
    found = requests_for(place, mark)
    assert len(found) == 1
    assert_only_ours(found[0], Tenant.GUEST, NETWORK)
    return found[0]


def ask(place, fields, method="GET", body=b""):
    """Send one good request with these fields. Returns what the agent saw of it."""
    target = new_target()
    raw = "%s %s HTTP/1.1\r\nHost: 169.254.169.254\r\n%s\r\n" % (method, target, fields)
    assert send(place, raw.encode("latin-1") + body) == [200]
    return the_one_request(place, target)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_forged_header_never_reaches_the_agent(place, name, spelling):
    forged = SPELLINGS[spelling](name)
    for fields in ("%s: %s\r\n", "%s:%s\r\n", "%s: %s\r\n" * 2, "Accept: x\r\n%s: %s\r\nAccept: y\r\n"):
        pairs = (forged, FORGED) * (fields.count("%s") // 2)
        assert FORGED.encode() not in ask(place, fields % pairs).raw


def test_all_forged_headers_at_once_never_reach_the_agent(place):
    fields = "".join("%s: %s\r\n" % (name, FORGED) for name in NAMES)
    assert FORGED.encode() not in ask(place, fields).raw
    assert FORGED.encode() not in ask(place, fields.replace("-", "_")).raw


def test_connection_cannot_name_our_headers_away(place):
    for named in ("X-Forwarded-For", "x-neutron-network-id, x-forwarded-for", "host", "close, Content-Length"):
        ask(place, "Connection: %s\r\n" % named)
        ask(place, "Connection: keep-alive\r\nConnection: %s\r\n" % named)
    seen = ask(place, "Connection: content-length\r\nContent-Length: 3\r\n", method="POST", body=b"abc")
    assert seen.body == b"abc"


def test_a_header_that_connection_names_is_not_forwarded(place):
    assert ask(place, "User-Agent: curl\r\n").header("User-Agent") == "curl"
    assert ask(place, "Connection: user-agent\r\nUser-Agent: curl\r\n").header("User-Agent") is None


def test_hop_by_hop_headers_are_not_forwarded(place):
    for name in ("Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Upgrade", "HTTP2-Settings", "Trailer"):
        assert FORGED.encode() not in ask(place, "%s: %s\r\n" % (name, FORGED)).raw


def test_a_name_with_an_underscore_is_not_forwarded_whatever_it_is(place):
    for name in ("X_Anything", "Accept_Encoding", "User_Agent", "_", "Host_", "Content_Length", "Transfer_Encoding"):
        assert FORGED.encode() not in ask(place, "%s: %s\r\n" % (name, FORGED)).raw


def test_trailers_are_not_forwarded(place):
    for name in NAMES + ["Host", "Content-Length", "Accept"]:
        seen = ask(place, "Transfer-Encoding: chunked\r\nTrailer: %s\r\n" % name, method="POST",
                   body=b"3\r\nabc\r\n0\r\n%s: %s\r\n\r\n" % (name.encode(), FORGED.encode()))
        assert seen.body == b"abc" and FORGED.encode() not in seen.raw


def test_a_body_that_looks_like_a_request_is_a_body(place):
    inner = b"GET /inner HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Neutron-Network-ID: %s\r\n\r\n" % OTHER.encode()
    seen = ask(place, "Content-Length: %d\r\n" % len(inner), method="POST", body=inner)
    assert seen.body == inner
    seen = ask(place, "Transfer-Encoding: chunked\r\n", method="POST", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner))
    assert seen.body == inner


def test_every_pipelined_request_is_stamped_by_us(place):
    targets = [new_target() for _ in range(8)]
    forged = "X-Forwarded-For: %s\r\nX_Neutron_Network_ID: %s\r\n" % (FORGED, OTHER)
    raw = "".join("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (target, forged) for target in targets)
    assert send(place, raw.encode()) == [200] * 8
    for target in targets:
        assert FORGED.encode() not in the_one_request(place, target).raw


HEAD = b"POST %s HTTP/1.1\r\nHost: x\r\n"
INNER = b"GET %s-inner HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
SMUGGLING = {
    "both framings": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "both framings, other order": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + INNER,
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 50\r\n\r\n" + INNER,
    "one length twice": HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + INNER,
    "a list of lengths": HEAD + b"Content-Length: 0, 0\r\n\r\n" + INNER,
    "a length with a sign": HEAD + b"Content-Length: +0\r\n\r\n" + INNER,
    "a hexadecimal length": HEAD + b"Content-Length: 0x10\r\n\r\n" + INNER,
    "an empty length": HEAD + b"Content-Length:\r\n\r\n" + INNER,
    "a length beyond 64 bits": HEAD + b"Content-Length: 18446744073709551616\r\n\r\n" + INNER,
    "a coding in quotes": HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + INNER,
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunked in two fields": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunked is not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + INNER,
    "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "a vertical tab before chunked": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + INNER,
    "a coding on HTTP/1.0": b"POST %s HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "a blank before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + INNER,
    "a folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + INNER,
    "a folded header": HEAD + b"Accept: x\r\n X-Forwarded-For: 6.6.6.6\r\n\r\n" + INNER,
    "a bare line feed": HEAD + b"Accept: x\nX-Forwarded-For: 6.6.6.6\r\n\r\n" + INNER,
    "a bare carriage return": HEAD + b"Accept: x\rX-Forwarded-For: 6.6.6.6\r\n\r\n" + INNER,
    "a NUL in a value": HEAD + b"Accept: x\0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n" + INNER,
    "a header without a name": HEAD + b": x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n" + INNER,
    "a header without a colon": HEAD + b"X-Forwarded-For 6.6.6.6\r\n\r\n" + INNER,
    "two hosts": HEAD + b"Host: y\r\n\r\n" + INNER,
    "a header in the target": b"GET %s HTTP/1.1\r\nX: HTTP/1.1\r\nHost : x\r\n\r\n" + INNER,
    "a blank in the target": b"GET %s X-Forwarded-For: HTTP/1.1\r\nHost: x\r\n\r\n" + INNER,
    "a chunk size with a sign": HEAD + b"Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n" + INNER,
    "a chunk size with 0x": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" + INNER,
    "a chunk size beyond 32 bits": HEAD + b"Transfer-Encoding: chunked\r\n\r\n100000003\r\nabc\r\n0\r\n\r\n" + INNER,
    "a chunk longer than its size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n" + INNER,
    "a chunk ended by a line feed": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n" + INNER,
    "a bare line feed in an extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n" + INNER,
    "a bad trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX : y\r\n\r\n" + INNER,
}


@pytest.mark.parametrize("what", SMUGGLING)
def test_what_could_be_read_in_two_ways_is_refused_whole(place, what):
    target = new_target().encode()
    raw = SMUGGLING[what]
    statuses = send(place, raw % ((target,) * raw.count(b"%s")))
    assert len(statuses) == 1 and statuses[0] in (400, 413, 501)
    assert not requests_for(place, target.decode())


@pytest.mark.parametrize("what", SMUGGLING)
def test_a_good_request_before_a_refused_one_is_answered_and_nothing_after_it(place, what):
    target, good = new_target().encode(), new_target()
    raw = SMUGGLING[what]
    first = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % good.encode()
    statuses = send(place, first + raw % ((target,) * raw.count(b"%s")))
    assert len(statuses) == 2 and statuses[0] == 200 and statuses[1] in (400, 413, 501)
    the_one_request(place, good)
    assert not requests_for(place, target.decode())


def test_an_absolute_target_does_not_change_who_asks(place):
    target = new_target()
    raw = "GET http://evil.example%s HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n" % target
    assert send(place, raw.encode()) == [200]
    seen = the_one_request(place, target)
    assert seen.line == "GET %s HTTP/1.1" % target
    assert seen.header("Host") == "evil.example"


def test_bytes_that_some_readers_take_for_line_ends_do_not_pass(place):
    for byte in (b"\x85", b"\xa0", b"\xff", b"\xe2\x80\xa8"):
        target = new_target()
        raw = b"GET %s HTTP/1.1\r\nHost: x\r\nAccept: a%sX-Forwarded-For: 6.6.6.6\r\n\r\n" % (target.encode(), byte)
        statuses = send(place, raw)
        assert statuses in ([200], [400])
        if statuses == [200]:
            assert FORGED.encode() not in the_one_request(place, target).raw
