#!/usr/bin/python3
"""Runs inside a guest's namespace: cloud-init's own code reads the metadata.

usage: cloudinit_crawl.py SCRATCH_DIR [BASE_URL]

Two ways: DataSourceOpenStack.read_metadata_service() directly, and a whole
DataSourceOpenStack object through _get_data() (URL probing, crawl, conversion
of network_data.json).  Only platform detection by DMI is answered "yes".
"""
import json
import os
import sys
import time

from cloudinit import helpers, settings, util
from cloudinit.distros import debian
from cloudinit.sources import DataSourceOpenStack as dso

scratch = sys.argv[1]
base = sys.argv[2] if len(sys.argv) > 2 else None
os.makedirs(scratch, exist_ok=True)


def text(x):
    return x.decode("utf-8", "replace") if isinstance(x, bytes) else x


out = {}
t0 = time.monotonic()
r = dso.read_metadata_service(base or dso.DEF_MD_URL, timeout=10, retries=2)
out["reader"] = {
    "seconds": time.monotonic() - t0,
    "uuid": r["metadata"]["uuid"],
    "hostname": r["metadata"]["hostname"],
    "userdata": text(r["userdata"])[-200:],
    "vendordata": r.get("vendordata"), "vendordata2": r.get("vendordata2"),
    "ec2_instance_id": (r.get("ec2-metadata") or {}).get("instance-id"),
    "keys": sorted(r)}

dso.detect_openstack = lambda accept_oracle=False: True
cfg = util.mergemanydict([
    {"datasource_list": ["OpenStack"],
     "datasource": {"OpenStack": {"max_wait": 20, "timeout": 10,
                                  "retries": 1}}},
    settings.CFG_BUILTIN])
if base:
    cfg["datasource"]["OpenStack"]["metadata_urls"] = [base]
paths = helpers.Paths({"cloud_dir": scratch, "run_dir": scratch})
distro = debian.Distro("debian", cfg, paths)
ds = dso.DataSourceOpenStack(cfg, distro, paths)
t0 = time.monotonic()
got = ds._get_data()
nc = ds.network_config if got else None
out["ds"] = {
    "seconds": time.monotonic() - t0, "got": got,
    "address": ds.metadata_address,
    "instance_id": ds.get_instance_id() if got else None,
    "hostname": (ds.metadata or {}).get("local-hostname"),
    "ssh_keys": ds.get_public_ssh_keys() if got else None,
    "network_mac": (nc["config"][0].get("mac_address") if nc else None)}
json.dump(out, sys.stdout)
