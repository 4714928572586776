"""What must be true of every request that reaches the agent, whatever a guest has sent."""
import re

PROTECTED = re.compile(
    r"x-forwarded-(for|host|proto|port|server)|forwarded|via|x-real-ip|x-client-ip|x-neutron-.*|x-ovn-.*|"
    r"x-instance-id(-signature)?|x-tenant-id|x-project-id|x-metadata-provider(-signature)?")


def assert_only_ours(request, guest, network):
    """The request is whole, one, and who asks is said once, by the proxy, straight behind the request line."""
    lines = request.raw.split(b"\r\n")
    assert re.fullmatch(rb"[A-Z]+ (\*|/[!-~]*) HTTP/1\.1", lines[0]), lines[0]
    assert lines[1] == b"X-Forwarded-For: " + guest.encode()
    assert lines[2] == b"X-Neutron-Network-ID: " + network.encode()
    assert lines[3].startswith(b"Host: ")
    for name, _ in request.headers[2:]:
        assert re.fullmatch(r"[!#$%&'*+.^`|~A-Za-z0-9-]+", name), name
        assert not PROTECTED.fullmatch(name.lower()), name
    assert request.header("Connection") == "close"
    assert request.header("Transfer-Encoding") is None
    assert len(request.raw) <= 4096
    assert len(request.body) == int(request.header("Content-Length") or 0)
    head = request.raw[:len(request.raw) - len(request.body)]
    assert re.fullmatch(rb"[^\r\n\0]+\r\n([^\r\n\0]+\r\n)+\r\n", head), head
