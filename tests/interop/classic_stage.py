"""The ML2/OVS stage: Neutron's real metadata driver, called as the DHCP agent calls it for a network and as the L3
agent calls it for a router, and the real neutron-metadata-agent; only the remote call that looks ports up is answered
from a file."""
import base64
import ipaddress
import json
import os
import subprocess

import settings
from guests import guest_namespace, inside, namespace_exists, NovaLog
from processes import end_strays, read, sh, Started, wait_for, write
from spawned import Proxy


HERE = os.path.join(settings.STATE, "classic")
LOG = os.path.join(HERE, "log")
DRIVER_STATE = os.path.join(HERE, "driver")
SOCK = os.path.join(HERE, "agent", "metadata_proxy")
INSTANCES = os.path.join(HERE, "instances.json")
PORTS = os.path.join(HERE, "ports.json")
RPC = os.path.join(HERE, "rpc.jsonl")
CMD = os.path.join(HERE, "cmd")
NOVA = NovaLog(os.path.join(HERE, "nova.jsonl"))
SYSLOG = os.path.join(HERE, "syslog.txt")
NOVA_PORT = 18776
PROXY_USER = settings.USER
MONITOR_INTERVAL = 2
STARTED = Started(os.path.join(HERE, "pids"))

NET = "0c0c0c0c-1111-4111-8111-cccccccccccc"         # isolated, DHCP agent
ROUTER = "0d0d0d0d-1111-4111-8111-dddddddddddd"      # L3 agent
RNET = "0d0d0d0d-2222-4222-8222-dddddddddddd"        # the router's network
OTHER = "0e0e0e0e-1111-4111-8111-eeeeeeeeeeee"       # someone else's network
SPARE = "0f0f0f0f-1111-4111-8111-ffffffffffff"       # for the contract tests
QDHCP, QROUTER, SW = "qdhcp-" + NET, "qrouter-" + ROUTER, "interop-sw"
QSPARE = "qdhcp-" + SPARE
TAP, QR = "tap0c0c0c0c-11", "qr-0d0d0d0d-22"
TEN = {"n": "c" * 32, "r": "d" * 32, "o": "e" * 32}


def lladdr(mac):
    b = [int(x, 16) for x in mac.split(":")]
    b[0] ^= 2
    return str(ipaddress.ip_address(bytes([0xfe, 0x80] + [0] * 6 + b[:3] + [0xff, 0xfe] + b[3:])))


VMS = {
    "n1": {"net": NET, "br": "br-n", "ip": "10.0.0.10", "via": "10.0.0.2",
           "mac": "fa:16:3e:0c:00:10", "tenant": TEN["n"],
           "instance": "c1000000-1234-4321-8888-0000000000c1"},
    "n2": {"net": NET, "br": "br-n", "ip": "10.0.0.11", "via": "10.0.0.2",
           "mac": "fa:16:3e:0c:00:11", "tenant": TEN["n"],
           "instance": "c2000000-1234-4321-8888-0000000000c2"},
    "r1": {"net": RNET, "br": "br-r", "ip": "10.1.0.10", "via": "10.1.0.1",
           "mac": "fa:16:3e:0d:00:10", "tenant": TEN["r"],
           "instance": "d1000000-1234-4321-8888-0000000000d1"},
    "r2": {"net": RNET, "br": "br-r", "ip": "10.1.0.11", "via": "10.1.0.1",
           "mac": "fa:16:3e:0d:00:11", "tenant": TEN["r"],
           "instance": "d2000000-1234-4321-8888-0000000000d2"},
}
# known to Neutron only: another tenant's instances, one with the very address
# of n1, one with an address that is free in the router's network
FAR = {
    "w1": {"net": OTHER, "ip": "10.0.0.10", "mac": "fa:16:3e:0e:00:10",
           "tenant": TEN["o"],
           "instance": "e1000000-1234-4321-8888-0000000000e1"},
    "v9": {"net": OTHER, "ip": "10.1.0.99", "mac": "fa:16:3e:0e:00:99",
           "tenant": TEN["o"],
           "instance": "e9000000-1234-4321-8888-0000000000e9"},
}
ALL = dict(VMS, **FAR)
MD = "http://169.254.169.254"
MD6 = "http://[fe80::a9fe:a9fe%25eth0]"
META = "/openstack/latest/meta_data.json"


def vm_ns(vm):
    return "interop-" + vm


def proxy(uuid, ns):
    return Proxy(uuid,
                 "%s/external/pids/%s.pid.haproxy" % (DRIVER_STATE, uuid),
                 "%s/ns-metadata-proxy/%s.conf" % (DRIVER_STATE, uuid), ns)


def pnet():
    return proxy(NET, QDHCP)


def prouter():
    return proxy(ROUTER, QROUTER)


def write_data():
    out, ports = {}, []
    for n, v in ALL.items():
        ud = b"#cloud-config\n# user data of %s\nhostname: %s\n" % (n.encode(), n.encode())
        out[v["instance"]] = {
            "tenant": v["tenant"], "name": n, "mac": v["mac"],
            "ips": [v["ip"], lladdr(v["mac"])],
            "userdata_b64": base64.b64encode(ud).decode()}
        ports.append({
            "id": "port-" + n, "network_id": v["net"], "mac_address": v["mac"],
            "device_id": v["instance"], "device_owner": "compute:nova",
            "tenant_id": v["tenant"],
            "fixed_ips": [{"ip_address": v["ip"], "subnet_id": "s"}]})
    ports.append({
        "id": "port-qr", "network_id": RNET, "mac_address": "fa:16:3e:0d:00:01",
        "device_id": ROUTER, "device_owner": "network:router_interface",
        "tenant_id": TEN["r"],
        "fixed_ips": [{"ip_address": "10.1.0.1", "subnet_id": "s"}]})
    write(INSTANCES, json.dumps(out, indent=1))
    write(PORTS, json.dumps(ports, indent=1))


def rate_limiting():
    """Does the installed release know metadata_rate_limiting?"""
    p = subprocess.run(
        [settings.PYTHON, "-c", "from neutron.conf.agent.metadata import config as c;"
         "print(int(hasattr(c, 'METADATA_RATE_LIMITING_OPTS')))"],
        stdout=subprocess.PIPE, text=True)
    return p.stdout.strip() == "1"


INI = """\
# written for the interoperation tests
[DEFAULT]
debug = true
use_stderr = false
log_file = %(log)s
host = interop-host
state_path = %(state)s
transport_url = fake://
metadata_proxy_socket = %(sock)s
nova_metadata_host = 127.0.0.1
nova_metadata_port = %(nova)d
metadata_proxy_shared_secret = %(secret)s
metadata_workers = 2
metadata_proxy_user = %(user)s
metadata_proxy_group = %(user)s
%(extra)s
[AGENT]
root_helper = %(helper)s
check_child_processes_interval = %(interval)d
report_interval = 0

[oslo_concurrency]
lock_path = %(state)s/lock
"""


def ini(name, **kw):
    v = {"log": "%s/%s.log" % (LOG, name), "state": DRIVER_STATE, "sock": SOCK,
         "nova": NOVA_PORT, "secret": settings.SECRET, "user": PROXY_USER,
         "helper": settings.ROOT_HELPER,
         "interval": MONITOR_INTERVAL, "extra": ""}
    v.update(kw)
    path = os.path.join(HERE, name + ".ini")
    text = INI % v
    if rate_limiting() and kw.get("rate"):
        text += kw["rate"]
    write(path, text)
    return path


def start_agent():
    STARTED.start("50-agent", [settings.PYTHON, os.path.join(settings.DIRECTORY, "classic_agent.py"),
                               PORTS, RPC, "--config-file",
                               ini("agent", state=os.path.join(HERE, "agent"))],
                  os.path.join(LOG, "agent.out"))


def start_driver():
    STARTED.start("60-driver", [settings.PYTHON, os.path.join(settings.DIRECTORY, "classic_driver.py"),
                                CMD, "--config-file", ini("driver")],
                  os.path.join(LOG, "driver.out"))


_n = [0]


def cmd(timeout=60, where=CMD, **c):
    os.makedirs(where, exist_ok=True)
    _n[0] += 1
    base = os.path.join(where, "%d-%d" % (os.getpid(), _n[0]))
    with open(base + ".tmp", "w") as f:
        json.dump(c, f)
    os.rename(base + ".tmp", base + ".json")
    t, _ = wait_for(lambda: read(base + ".done"), timeout, 0.01)
    if not t:
        raise RuntimeError("no answer to %s" % c)
    return json.loads(t)


def spawn_network():
    return cmd(op="network", id=NET, ns=QDHCP, bind_address="169.254.169.254",
               bind_address_v6="fe80::a9fe:a9fe", bind_interface=TAP)


def link(ns, dev, mac, bridge):
    """dev in ns, its peer on a bridge of the run's switch namespace."""
    peer = ("p" + dev)[:15]
    sh("ip", "link", "add", peer, "netns", SW, "type", "veth", "peer", "name", dev, "netns", ns)
    inside(ns, "ip", "link", "set", dev, "address", mac)
    inside(SW, "ip", "link", "set", peer, "master", bridge)
    inside(SW, "ip", "link", "set", peer, "up")
    inside(ns, "ip", "link", "set", dev, "up")


def up():
    for d in (LOG, DRIVER_STATE, os.path.join(HERE, "agent"), CMD):
        os.makedirs(d, exist_ok=True)
    for d in (settings.STATE, HERE, DRIVER_STATE, os.path.join(HERE, "agent")):
        os.chmod(d, 0o755)
    write_data()
    if not os.path.exists("/dev/log"):
        STARTED.start("05-syslog", [settings.PYTHON, os.path.join(settings.DIRECTORY, "syslog_stub.py"),
                                    "/dev/log", SYSLOG], os.path.join(LOG, "stdout"))
    STARTED.start("05-nova", [settings.PYTHON, os.path.join(settings.DIRECTORY, "nova_stub.py"),
                              "127.0.0.1", NOVA_PORT, INSTANCES, NOVA.path,
                              settings.SECRET], os.path.join(LOG, "nova.out"))
    sh("ip", "netns", "add", SW)
    for br in ("br-n", "br-r"):
        inside(SW, "ip", "link", "add", br, "type", "bridge")
        inside(SW, "ip", "link", "set", br, "up")
    for vm, v in VMS.items():
        guest_namespace(vm_ns(vm), "iopv-" + vm, v["mac"], [v["ip"] + "/24"], mtu=1500)
        sh("ip", "link", "set", "iopv-" + vm, "netns", SW)
        inside(SW, "ip", "link", "set", "iopv-" + vm, "master", v["br"])
        inside(SW, "ip", "link", "set", "iopv-" + vm, "up")
        inside(vm_ns(vm), "ip", "route", "add", "169.254.169.254/32", "via", v["via"])
    # what the DHCP agent's interface driver does before it asks for the proxy
    sh("ip", "netns", "add", QDHCP)
    inside(QDHCP, "ip", "link", "set", "lo", "up")
    link(QDHCP, TAP, "fa:16:3e:0c:00:02", "br-n")
    sh("ip", "netns", "add", QSPARE)
    inside(QSPARE, "ip", "link", "set", "lo", "up")


def down():
    left = STARTED.stop("60-driver", family=True) + STARTED.stop("50-agent", family=True)
    STARTED.stop("61-driver2", family=True)
    end_strays(os.path.join(HERE, "agent.ini"), os.path.join(HERE, "driver.ini"),
               os.path.join(HERE, "driver2.ini"),
               DRIVER_STATE + "/ns-metadata-proxy/", NET, ROUTER, SPARE)
    STARTED.stop_all()
    for ns in [vm_ns(v) for v in VMS] + [QDHCP, QROUTER, QSPARE, SW]:
        if namespace_exists(ns):
            sh("ip", "netns", "del", ns, check=False)
    return left


def wipe():
    subprocess.run(["rm", "-rf", "--", HERE], check=True)
