#!/usr/bin/python3
"""A long-running stand-in for the DHCP and the L3 agent: it owns a real
ProcessMonitor and calls Neutron's real metadata driver.

usage: classic_driver.py CMD_DIR --config-file INI

A command is a file CMD_DIR/<n>.json; the answer is written to <n>.done:
  {"op": "network", "id", "ns", "bind_address", "bind_address_v6",
   "bind_interface"}     MetadataDriver.spawn_monitored_metadata_proxy, with the
                         arguments which the DHCP agent gives it
  {"op": "router", "id"} a real RouterInfo (its namespace is made by initialize)
                         and the driver's own after_router_added, as in the L3
                         agent: iptables rules, bind '::', port 9697
  {"op": "destroy-network", "id", "ns"}   destroy_monitored_metadata_proxy
  {"op": "destroy-router", "id"}          the driver's before_router_removed
  {"op": "raw-spawn", "id", "ns", "cmd"}  a ProcessManager with another command
"""
import json
import os
import sys
import time
import traceback
import types

from neutron.common import eventlet_utils
eventlet_utils.monkey_patch()

import eventlet                                                   # noqa: E402
from neutron_lib.callbacks import events                          # noqa: E402
from neutron_lib.callbacks import resources                       # noqa: E402
from neutron.agent import l3_agent                                # noqa: E402
from neutron.agent.l3 import router_info                          # noqa: E402
from neutron.agent.linux import external_process                  # noqa: E402
from neutron.agent.metadata import driver                         # noqa: E402
from neutron.common import config as common_config                # noqa: E402
from neutron.conf.agent import common as agent_config             # noqa: E402
from neutron_lib import constants                                 # noqa: E402
from oslo_config import cfg                                       # noqa: E402

CMD = sys.argv[1]
conf = cfg.CONF
l3_agent.register_opts(conf)
common_config.init(sys.argv[2:])
agent_config.setup_logging()
agent_config.setup_privsep()

monitor = external_process.ProcessMonitor(config=conf, resource_type="interop")
fake_l3 = types.SimpleNamespace(conf=conf, process_monitor=monitor)
fake_l3.metadata_driver = driver.MetadataDriver(fake_l3)
routers = {}


def payload(ri):
    return types.SimpleNamespace(latest_state=ri, states=(ri,))


def do(c):
    op = c["op"]
    if op == "network":
        driver.MetadataDriver.spawn_monitored_metadata_proxy(
            monitor, c["ns"], constants.METADATA_PORT, conf,
            bind_address=c["bind_address"], network_id=c["id"],
            bind_address_v6=c.get("bind_address_v6"),
            bind_interface=c.get("bind_interface"))
    elif op == "router":
        iface = types.SimpleNamespace(DEV_NAME_LEN=14)
        ri = router_info.RouterInfo(None, c["id"], {"id": c["id"]}, conf, iface, use_ipv6=True)
        ri.initialize(monitor)
        routers[c["id"]] = ri
        driver.after_router_added(resources.ROUTER, events.AFTER_CREATE, fake_l3, payload(ri))
    elif op == "destroy-network":
        driver.MetadataDriver.destroy_monitored_metadata_proxy(monitor, c["id"], conf, c["ns"])
    elif op == "destroy-router":
        ri = routers.pop(c["id"])
        driver.before_router_removed(resources.ROUTER, events.BEFORE_DELETE, fake_l3, payload(ri))
    elif op == "raw-spawn":
        pm = external_process.ProcessManager(
            conf=conf, uuid=c["id"], namespace=c["ns"], service="interop",
            default_cmd_callback=lambda pid_file: [
                x.replace("PIDFILE", pid_file) for x in c["cmd"]])
        pm.enable()
        return {"pid_file": pm.get_pid_file_name(), "active": pm.active}
    else:
        raise ValueError(op)


os.makedirs(CMD, exist_ok=True)
while True:
    for f in sorted(os.listdir(CMD)):
        if not f.endswith(".json"):
            continue
        path = os.path.join(CMD, f)
        with open(path) as h:
            c = json.load(h)
        t0 = time.monotonic()
        r = {"ok": True, "error": None, "value": None}
        try:
            r["value"] = do(c)
        except Exception as e:
            r.update(ok=False, error="%s: %s" % (type(e).__name__, e), trace=traceback.format_exc())
        r["seconds"] = time.monotonic() - t0
        os.unlink(path)
        with open(path[:-5] + ".tmp", "w") as h:
            json.dump(r, h)
        os.rename(path[:-5] + ".tmp", path[:-5] + ".done")
    eventlet.sleep(0.02)
