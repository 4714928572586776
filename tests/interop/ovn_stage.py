"""The ML2/OVN stage: a real OVN control plane (NB, northd, SB, ovn-controller), a real Open vSwitch with the
userspace datapath, and the unmodified neutron-ovn-metadata-agent, which spawns whatever `haproxy` is first on PATH."""
import base64
import hashlib
import json
import os
import subprocess
import time

import settings
from guests import guest_namespace, inside, namespace_exists, NovaLog
from processes import end_strays, read, sh, Started, succeeds, wait_for, write
from spawned import Proxy


HERE = os.path.join(settings.STATE, "ovn")
RUN = os.path.join(HERE, "run")
LOG = os.path.join(HERE, "log")
AGENT_STATE = os.path.join(HERE, "agent")
AGENT_INI = os.path.join(HERE, "agent.ini")
INSTANCES = os.path.join(HERE, "instances.json")
NOVA = NovaLog(os.path.join(HERE, "nova.jsonl"))
SYSLOG = os.path.join(HERE, "syslog.txt")
NOVA_PORT = 18775
BRIDGE = "br-interop"
CHASSIS = "7c0ffee0-0000-4000-8000-00000000c4a5"
HOST = "interop-host"
PROXY_USER = settings.USER
MONITOR_INTERVAL = 2
STARTED = Started(os.path.join(HERE, "pids"))

ENV = {"OVS_RUNDIR": RUN, "OVN_RUNDIR": RUN, "OVS_LOGDIR": LOG,
       "OVN_LOGDIR": LOG, "OVS_DBDIR": HERE, "OVN_DBDIR": HERE,
       "OVS_SYSCONFDIR": HERE}
os.environ.update(ENV)

# two tenants with the very same addresses, and two guests in the first network
NETS = {
    "A": {"id": "0a0a0a0a-1111-4111-8111-aaaaaaaaaaaa", "tenant": "a" * 32,
          "meta_port": "0a0a0a0a-2222-4222-8222-aaaaaaaaaaaa",
          "meta_mac": "fa:16:3e:0a:00:02", "meta_ip": "192.168.77.2"},
    "B": {"id": "0b0b0b0b-1111-4111-8111-bbbbbbbbbbbb", "tenant": "b" * 32,
          "meta_port": "0b0b0b0b-2222-4222-8222-bbbbbbbbbbbb",
          "meta_mac": "fa:16:3e:0b:00:02", "meta_ip": "192.168.77.2"},
}
VMS = {
    "a1": {"net": "A", "ip": "192.168.77.10", "mac": "fa:16:3e:0a:00:10",
           "port": "a1a1a1a1-0000-4000-8000-000000000001",
           "instance": "a1000000-1234-4321-8888-0000000000a1"},
    "a2": {"net": "A", "ip": "192.168.77.11", "mac": "fa:16:3e:0a:00:11",
           "port": "a2a2a2a2-0000-4000-8000-000000000002",
           "instance": "a2000000-1234-4321-8888-0000000000a2"},
    "b1": {"net": "B", "ip": "192.168.77.10", "mac": "fa:16:3e:0b:00:10",
           "port": "b1b1b1b1-0000-4000-8000-000000000003",
           "instance": "b1000000-1234-4321-8888-0000000000b1"},
}
MD = "http://169.254.169.254"
META_JSON = MD + "/openstack/latest/meta_data.json"


def vm_ns(vm):
    return "interop-" + vm


def vm_dev(vm):
    return "iopv-" + vm


def ovnmeta(net):
    return "ovnmeta-" + NETS[net]["id"]


def proxy(net):
    i = NETS[net]["id"]
    return Proxy(i, "%s/external/pids/%s.pid.haproxy" % (AGENT_STATE, i),
                 "%s/ovn-metadata-proxy/%s.conf" % (AGENT_STATE, i),
                 ovnmeta(net))


def vsctl(*a, **kw):
    return sh("ovs-vsctl", "--timeout=20", "--db=unix:%s/ovs.sock" % RUN, *a, **kw)


def nbctl(*a, **kw):
    return sh("ovn-nbctl", "--timeout=20", "--db=unix:%s/nb.sock" % RUN, *a, **kw)


def sbctl(*a, **kw):
    return sh("ovn-sbctl", "--timeout=20", "--db=unix:%s/sb.sock" % RUN, *a, **kw)


def agent_log():
    return read(os.path.join(LOG, "agent.log"), "")


def start_db(name, schema, sock):
    db = os.path.join(HERE, name + ".db")
    if not os.path.exists(db):
        sh("ovsdb-tool", "create", db, schema)
    STARTED.start("10-ovsdb-" + name,
                  ["ovsdb-server", "--remote=punix:%s/%s" % (RUN, sock),
                   "--unixctl=%s/ovsdb-%s.ctl" % (RUN, name),
                   "--log-file=%s/ovsdb-%s.log" % (LOG, name),
                   "-vconsole:off", db], os.path.join(LOG, "stdout"))
    if not wait_for(lambda: os.path.exists("%s/%s" % (RUN, sock)), 10)[0]:
        raise RuntimeError("ovsdb-server %s did not come up" % name)


def write_instances():
    """What the Nova stub knows.  a2's user data is 60000 random bytes."""
    out = {}
    for n, v in VMS.items():
        ud = b"#cloud-config\n# user data of %s\nhostname: %s\n" % (n.encode(), n.encode())
        if n == "a2":
            h = hashlib.sha256(b"interop")
            ud = b""
            while len(ud) < 60000:
                h.update(b"x")
                ud += h.digest()
            ud = ud[:60000]
        out[v["instance"]] = {
            "tenant": NETS[v["net"]]["tenant"], "name": n, "mac": v["mac"],
            "ips": [v["ip"]], "userdata_b64": base64.b64encode(ud).decode()}
    write(INSTANCES, json.dumps(out, indent=1))
    return out


def agent_ini():
    write(AGENT_INI, """\
# written for the interoperation tests
[DEFAULT]
debug = true
use_stderr = false
log_file = %(log)s/agent.log
host = %(host)s
state_path = %(state)s
metadata_proxy_socket = $state_path/metadata_proxy
nova_metadata_host = 127.0.0.1
nova_metadata_port = %(nova)d
metadata_proxy_shared_secret = %(secret)s
metadata_workers = 2
metadata_proxy_user = %(user)s
metadata_proxy_group = %(user)s

[AGENT]
# root already: "env" keeps PATH as it is, so PROXY_BIN_DIR is honoured
root_helper = %(helper)s
check_child_processes_interval = %(interval)d

[ovs]
ovsdb_connection = unix:%(run)s/ovs.sock

[ovn]
ovn_sb_connection = unix:%(run)s/sb.sock
ovsdb_connection_timeout = 30

[oslo_concurrency]
lock_path = %(state)s/lock
""" % {"log": LOG, "host": HOST, "state": AGENT_STATE, "nova": NOVA_PORT,
       "secret": settings.SECRET, "user": PROXY_USER, "run": RUN,
       "interval": MONITOR_INTERVAL,
       "helper": settings.ROOT_HELPER})


def start_agent():
    """Start the real agent; returns seconds until each thing was there."""
    t0 = time.monotonic()
    STARTED.start("60-agent", ["/usr/bin/neutron-ovn-metadata-agent",
                               "--config-file", AGENT_INI],
                  os.path.join(LOG, "agent.out"))
    return t0


def start_controller():
    STARTED.start("40-controller",
                  ["ovn-controller", "unix:%s/ovs.sock" % RUN,
                   "--log-file=%s/ovn-controller.log" % LOG, "-vconsole:off"],
                  os.path.join(LOG, "stdout"))


def plug(vm):
    v = VMS[vm]
    vsctl("--may-exist", "add-port", BRIDGE, vm_dev(vm), "--",
          "set", "Interface", vm_dev(vm),
          "external_ids:iface-id=" + v["port"],
          'external_ids:attached-mac="%s"' % v["mac"])


def unplug(vm):
    vsctl("--if-exists", "del-port", BRIDGE, vm_dev(vm))


def nb_populate():
    """What neutron-server writes into the northbound database."""
    for n in NETS.values():
        nbctl("ls-add", "neutron-" + n["id"], "--", "set", "Logical_Switch",
              "neutron-" + n["id"],
              "external_ids:neutron\\:network_name=interop",
              "external_ids:neutron\\:revision_number=1")
        nbctl("lsp-add", "neutron-" + n["id"], n["meta_port"], "--",
              "lsp-set-type", n["meta_port"], "localport", "--",
              "lsp-set-addresses", n["meta_port"],
              "%s %s" % (n["meta_mac"], n["meta_ip"]), "--",
              "set", "Logical_Switch_Port", n["meta_port"],
              'external_ids:neutron\\:cidrs="%s/24"' % n["meta_ip"],
              "external_ids:neutron\\:device_id=ovnmeta-" + n["id"],
              'external_ids:neutron\\:device_owner="network:distributed"',
              "external_ids:neutron\\:project_id=" + n["tenant"],
              "external_ids:neutron\\:network_name=neutron-" + n["id"])
    for v in VMS.values():
        n = NETS[v["net"]]
        nbctl("lsp-add", "neutron-" + n["id"], v["port"], "--",
              "lsp-set-addresses", v["port"], "%s %s" % (v["mac"], v["ip"]),
              "--", "lsp-set-port-security", v["port"],
              "%s %s" % (v["mac"], v["ip"]), "--",
              "set", "Logical_Switch_Port", v["port"],
              'external_ids:neutron\\:cidrs="%s/24"' % v["ip"],
              "external_ids:neutron\\:device_id=" + v["instance"],
              'external_ids:neutron\\:device_owner="compute:nova"',
              "external_ids:neutron\\:project_id=" + n["tenant"],
              "external_ids:neutron\\:network_name=neutron-" + n["id"])


def no_offload(net):
    """OVS's userspace datapath reads the veth through a packet
    socket and drops segments larger than the MTU."""
    dev = "tap%s1" % NETS[net]["id"][:10]
    inside(ovnmeta(net), "ethtool", "-K", dev, "tx", "off", "tso", "off", "gso", "off", check=False)


def up():
    for d in (RUN, LOG, AGENT_STATE):
        os.makedirs(d, exist_ok=True)
    for d in (settings.STATE, HERE, AGENT_STATE):
        os.chmod(d, 0o755)
    write_instances()
    if not os.path.exists("/dev/log"):
        STARTED.start("05-syslog", [settings.PYTHON, os.path.join(settings.DIRECTORY, "syslog_stub.py"),
                                    "/dev/log", SYSLOG], os.path.join(LOG, "stdout"))
    STARTED.start("05-nova", [settings.PYTHON, os.path.join(settings.DIRECTORY, "nova_stub.py"),
                              "127.0.0.1", NOVA_PORT, INSTANCES, NOVA.path,
                              settings.SECRET], os.path.join(LOG, "nova.out"))
    start_db("ovs", "/usr/share/openvswitch/vswitch.ovsschema", "ovs.sock")
    start_db("nb", "/usr/share/ovn/ovn-nb.ovsschema", "nb.sock")
    start_db("sb", "/usr/share/ovn/ovn-sb.ovsschema", "sb.sock")
    vsctl("--no-wait", "init")
    vsctl("--no-wait", "set", "Open_vSwitch", ".",
          "external_ids:system-id=" + CHASSIS,
          "external_ids:hostname=" + HOST,
          "external_ids:ovn-remote=unix:%s/sb.sock" % RUN,
          "external_ids:ovn-encap-type=geneve",
          "external_ids:ovn-encap-ip=127.0.0.1",
          "external_ids:ovn-bridge=" + BRIDGE,
          "external_ids:ovn-bridge-datapath-type=netdev")
    STARTED.start("20-vswitchd",
                  ["ovs-vswitchd", "unix:%s/ovs.sock" % RUN,
                   "--unixctl=%s/vswitchd.ctl" % RUN,
                   "--log-file=%s/ovs-vswitchd.log" % LOG, "-vconsole:off"],
                  os.path.join(LOG, "stdout"))
    vsctl("add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev", "fail_mode=secure")
    STARTED.start("30-northd",
                  ["ovn-northd", "--ovnnb-db=unix:%s/nb.sock" % RUN,
                   "--ovnsb-db=unix:%s/sb.sock" % RUN,
                   "--unixctl=%s/ovn-northd.ctl" % RUN,
                   "--log-file=%s/ovn-northd.log" % LOG, "-vconsole:off"],
                  os.path.join(LOG, "stdout"))
    start_controller()
    nb_populate()
    for vm, v in VMS.items():
        guest_namespace(vm_ns(vm), vm_dev(vm), v["mac"], [v["ip"] + "/24"])
        # what Neutron hands out as a classless static route by DHCP
        inside(vm_ns(vm), "ip", "route", "add", "169.254.169.254/32", "via", NETS[v["net"]]["meta_ip"])
        plug(vm)
    agent_ini()
    if not wait_for(ports_are_bound, 60)[0]:
        raise RuntimeError("ovn-controller did not bind the guests' ports")


def ports_are_bound():
    """Every guest's port is up; an ovn-controller that ended while it connected is started again."""
    if not STARTED.running("40-controller"):
        start_controller()
    up = sbctl("--bare", "--columns=logical_port", "find", "Port_Binding", "up=true")
    return all(v["port"] in up for v in VMS.values())


def down():
    """Ends only what the run recorded, and what the agent spawned for one of
    the run's own network ids."""
    left = STARTED.stop("60-agent", family=True)
    end_strays(AGENT_INI, AGENT_STATE + "/ovn-metadata-proxy/", "5ca1e0", *[n["id"] for n in NETS.values()])
    ctl = "%s/vswitchd.ctl" % RUN
    ours = STARTED.get("20-vswitchd")
    if STARTED.get("20-vswitchd") and os.path.exists(ctl):
        succeeds("ovs-appctl", "-T", "10", "-t", ctl, "exit", "--cleanup")
    STARTED.stop_all(["40-controller", "30-northd", "20-vswitchd"])
    for net, n in NETS.items():
        if namespace_exists(ovnmeta(net)):
            sh("ip", "netns", "del", ovnmeta(net), check=False)
        succeeds("ip", "link", "del", "tap%s0" % n["id"][:10])
    for ns in sh("ip", "netns", "list").split():
        if ns.startswith("ovnmeta-5ca1e"):
            sh("ip", "netns", "del", ns, check=False)
            succeeds("ip", "link", "del", "tap%s0" % ns[8:18])
    for vm in VMS:
        if namespace_exists(vm_ns(vm)):
            sh("ip", "netns", "del", vm_ns(vm), check=False)
        succeeds("ip", "link", "del", vm_dev(vm))
    for dev in (BRIDGE, "ovs-netdev") if ours else ():
        if os.path.exists("/sys/class/net/" + dev):
            succeeds("ip", "link", "del", dev)
    return left


def wipe():
    subprocess.run(["rm", "-rf", "--", HERE], check=True)
