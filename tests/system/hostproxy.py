"""Configurations of a host's proxy, as Neutron's metadata_path extension writes them."""
import collections

# A guest as its record has it.
Guest = collections.namedtuple("Guest", "ip id tenant signature")

HEAD = """
global
    log         /dev/log local0 debug
    log-tag     haproxy-host_metadata_proxy
    user        nobody
    group       nogroup
    maxconn     1024
    daemon

frontend public
    bind            *:{port} name clear
    mode            http
    log             global
    option          httplog
    option          dontlognull
    maxconn         1024
    timeout http-request    30s
    timeout connect         30s
    timeout client          32s
    timeout server          32s
    timeout http-keep-alive 30s

    monitor-uri     /monitoruri
    stats uri       /admin/stats
"""

ACL = "\n    acl instance_{0.id}_{0.ip} src {0.ip}\n"
USE = "\n    use_backend backend_{0.id}_{0.ip} if instance_{0.id}_{0.ip}\n"
BACKEND = """
backend backend_{0.id}_{0.ip}
    mode            http
    balance         roundrobin
    retries         3
    option redispatch
    timeout http-request    30s
    timeout connect         30s
    timeout server          30s

    http-request set-header X-Instance-ID {0.id}
    http-request set-header X-Tenant-ID {0.tenant}
    http-request set-header X-Instance-ID-Signature {0.signature}

    server metasrv {1}

"""


def guest(ip, number, tenant=None):
    """A guest at an address, with values that follow from a number."""
    return Guest(ip, "0a0b0c0d-0000-4000-8000-%012d" % number, tenant or "%032x" % (number * 7), "%064x" % (number * 11))


def guests(count, prefix="240.1"):
    """So many guests, at prefix.0.1 and up."""
    return [guest("%s.%d.%d" % (prefix, i >> 8, i & 255), i) for i in range(1, count + 1)]


def configuration(known, server, port=80):
    """The file for these guests, whose backend is HOST:PORT."""
    parts = [HEAD.format(port=port)]
    parts += [ACL.format(one) for one in known]
    parts += [USE.format(one) for one in known]
    parts += [BACKEND.format(one, server) for one in known]
    return "".join(parts)
