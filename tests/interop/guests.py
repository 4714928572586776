"""Guests: network namespaces, and requests sent from inside them."""
import hashlib
import hmac
import json
import os
import subprocess
import time

import settings
from processes import read, sh


def namespace_exists(ns):
    return os.path.exists("/run/netns/" + ns)


def namespace_inode(ns):
    return os.stat("/run/netns/" + ns).st_ino


def process_namespace(pid, kind="net"):
    return os.stat("/proc/%d/ns/%s" % (pid, kind)).st_ino


def inside(ns, *argv, **kw):
    return sh("ip", "netns", "exec", ns, *argv, **kw)


def guest_namespace(ns, dev_out, mac, addrs, mtu=1400):
    """A guest: a namespace with eth0, whose veth peer `dev_out` stays outside."""
    sh("ip", "netns", "add", ns)
    sh("ip", "link", "add", dev_out, "type", "veth", "peer", "name", "eth0", "netns", ns)
    inside(ns, "ip", "link", "set", "eth0", "address", mac)
    inside(ns, "ip", "link", "set", "eth0", "mtu", str(mtu))
    inside(ns, "ip", "link", "set", "lo", "up")
    # a userspace switch gets frames as they are: no offloads on this side
    inside(ns, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", check=False)
    inside(ns, "ip", "link", "set", "eth0", "up")
    for a in addrs:
        inside(ns, "ip", "addr", "add", a, "dev", "eth0")
    sh("ip", "link", "set", dev_out, "up")


def curl(ns, url, *more, **kw):
    """-> (http code, body bytes, seconds, headers)"""
    t0 = time.monotonic()
    hdr = os.path.join(settings.STATE, "curl-headers.%d" % os.getpid())
    p = subprocess.run(
        ["ip", "netns", "exec", ns, "curl", "-sS", "-g", "--noproxy", "*",
         "--max-time", str(kw.get("timeout", 10)), "-D", hdr,
         "-o", "-", "-w", "\n%{http_code}"] + list(more) + [url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    body, _, code = p.stdout.rpartition(b"\n")
    h = read(hdr, "")
    try:
        os.unlink(hdr)
    except OSError:
        pass
    return int(code or 0), body, time.monotonic() - t0, h


def raw(ns, reqs):
    """Send raw requests from a namespace (see raw_http.py)."""
    p = subprocess.run(["ip", "netns", "exec", ns, settings.PYTHON,
                        os.path.join(settings.DIRECTORY, "raw_http.py")],
                       input=json.dumps(reqs), stdout=subprocess.PIPE,
                       text=True, check=True)
    return json.loads(p.stdout)


def statuses(data):
    """The status codes of all HTTP responses found in a byte stream."""
    out, rest = [], data
    while rest.startswith("HTTP/1.") and "\r\n\r\n" in rest:
        head, rest = rest.split("\r\n\r\n", 1)
        lines = head.split("\r\n")
        code = int(lines[0].split()[1])
        out.append(code)
        if 100 <= code < 200 and code != 101:
            continue
        h = {a.lower(): b.strip() for a, _, b in (x.partition(":") for x in lines[1:])}
        if "chunked" in h.get("transfer-encoding", "").lower():
            while True:
                size, _, rest = rest.partition("\r\n")
                try:
                    n = int(size.split(";")[0], 16)
                except ValueError:
                    return out
                rest = rest[n + 2:]
                if n == 0:
                    break
        elif "content-length" in h:
            rest = rest[int(h["content-length"]):]
        else:
            break
    return out


def identity(body):
    """The instance's name in a meta_data.json, or None."""
    try:
        return json.loads(body)["name"]
    except (ValueError, KeyError, TypeError):
        return None


def sign(instance_id, secret=settings.SECRET):
    return hmac.new(secret.encode(), instance_id.encode(), hashlib.sha256).hexdigest()


class NovaLog:
    """What the stub of Nova wrote down."""

    def __init__(self, path):
        self.path = path

    def lines(self):
        return [json.loads(x) for x in (read(self.path) or "").splitlines()]

    def mark(self):
        return len(self.lines())

    def since(self, mark):
        return self.lines()[mark:]
