#!/usr/bin/python3
"""A stub of the Nova metadata API (what nova-api-metadata does when
service_metadata_proxy is on).

usage: nova_stub.py HOST PORT INSTANCES.json LOG.jsonl SECRET

INSTANCES.json: {instance_id: {"tenant": ..., "name": ..., "ips": [...],
                               "mac": ..., "userdata_b64": ...}, ...}

Per request it verifies
  X-Instance-ID              present, one value, known
  X-Tenant-ID                present, the instance's tenant
  X-Instance-ID-Signature    HMAC-SHA256(secret, X-Instance-ID) in hex
  X-Forwarded-For            present, one address
and appends one JSON object to the log: method, path, the headers it saw, the
verdict and whether X-Forwarded-For is one of the instance's own addresses.
Only then does it answer, so that a test which has the reply also has the line.
As in Nova, "/" is answered for any method and before any verification.
"""
import base64
import hashlib
import hmac
import http.server
import ipaddress
import json
import sys
import threading

HOST, PORT, INSTANCES, LOG, SECRET = sys.argv[1:6]
OS_VERSIONS = ["2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15",
               "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
               "2020-10-14", "latest"]
EC2_VERSIONS = ["1.0", "2007-01-19", "2009-04-04", "latest"]
LOCK = threading.Lock()


def instances():
    with open(INSTANCES) as f:
        return json.load(f)


def userdata(inst):
    return base64.b64decode(inst["userdata_b64"])


def meta_data(iid, inst):
    return {
        "uuid": iid, "name": inst["name"], "hostname": inst["name"] + ".interop",
        "project_id": inst["tenant"], "availability_zone": "nova",
        "launch_index": 0, "meta": {"role": "interop", "owner": inst["name"]},
        "public_keys": {"k": "ssh-ed25519 AAAA%s interop" % inst["name"]},
        "keys": [{"name": "k", "type": "ssh",
                  "data": "ssh-ed25519 AAAA%s interop" % inst["name"]}],
        "random_seed": base64.b64encode(
            hashlib.sha512(iid.encode()).digest() * 8).decode(),
        "devices": [], "dedicated_cpus": []}


def network_data(iid, inst):
    ip = [a for a in inst["ips"] if ":" not in a][0]
    return {
        "links": [{"id": "tap0", "vif_id": inst["name"], "type": "ovs",
                   "mtu": 1442, "ethernet_mac_address": inst["mac"]}],
        "networks": [{"id": "network0", "type": "ipv4", "link": "tap0",
                      "ip_address": ip, "netmask": "255.255.255.0",
                      "routes": [], "network_id": inst["name"]}],
        "services": []}


def ec2_tree(iid, inst):
    ip = [a for a in inst["ips"] if ":" not in a][0]
    return {"ami-id": "ami-00000001", "ami-launch-index": "0",
            "hostname": inst["name"] + ".interop", "instance-id": "i-" + iid[:8],
            "instance-type": "m1.interop", "local-hostname": inst["name"] + ".interop",
            "local-ipv4": ip, "placement": {"availability-zone": "nova"},
            "public-keys": {"0": {"openssh-key":
                                  "ssh-ed25519 AAAA%s interop" % inst["name"]}},
            "reservation-id": "r-interop", "security-groups": "default",
            "block-device-mapping": {"ami": "vda", "root": "/dev/vda"}}


def ec2_lookup(tree, tokens):
    node, parent = tree, None
    for t in tokens:
        if not isinstance(node, dict) or t not in node:
            return None
        parent, node = t, node[t]
    if not isinstance(node, dict):
        return node
    if parent == "public-keys":
        return "\n".join("%s=k" % k for k in sorted(node))
    return "\n".join(k + ("/" if isinstance(v, dict) and k != "0" else "") for k, v in sorted(node.items()))


def content(method, path, iid, inst):
    """-> (code, content type, body)"""
    tok = [t for t in path.split("?")[0].split("/") if t]
    text, js = "text/plain; charset=UTF-8", "application/json"
    if not tok:
        return 200, text, "\n".join(EC2_VERSIONS).encode()
    if tok[0] == "openstack":
        if len(tok) == 1:
            return 200, text, "\n".join(OS_VERSIONS).encode()
        if tok[1] not in OS_VERSIONS:
            return 404, text, b"not found"
        if len(tok) == 2:
            return 200, text, (b"meta_data.json\npassword\nuser_data\n"
                               b"vendor_data.json\nnetwork_data.json\n"
                               b"vendor_data2.json")
        name = "/".join(tok[2:])
        if name == "meta_data.json":
            return 200, js, json.dumps(meta_data(iid, inst)).encode()
        if name == "network_data.json":
            return 200, js, json.dumps(network_data(iid, inst)).encode()
        if name == "vendor_data.json":
            return 200, js, b"{}"
        if name == "vendor_data2.json":
            return 200, js, b'{"static": {}}'
        if name == "user_data":
            return 200, text, userdata(inst)
        if name == "password":
            return 200, text, b""
        return 404, text, b"not found"
    if tok[0] in EC2_VERSIONS:
        if len(tok) == 1:
            return 200, text, b"meta-data/\nuser-data"
        if tok[1] == "user-data" and len(tok) == 2:
            return 200, text, userdata(inst)
        if tok[1] == "meta-data":
            r = ec2_lookup(ec2_tree(iid, inst), tok[2:])
            if r is not None:
                return 200, text, r.encode()
    return 404, text, b"not found"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "nova-stub"

    def answer(self):
        n = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(n) if n else b""
        hdr = [[k, v] for k, v in self.headers.items()]
        one = {k: self.headers.get_all(k) or [] for k in (
            "X-Instance-ID", "X-Tenant-ID", "X-Instance-ID-Signature",
            "X-Forwarded-For")}
        code, why, inst, iid, xff_ok = 200, "ok", None, None, None
        for k, v in one.items():
            if len(v) != 1:
                code, why = 400, "%s seen %d times" % (k, len(v))
                break
        if code == 200:
            iid = one["X-Instance-ID"][0]
            want = hmac.new(SECRET.encode(), iid.encode(), hashlib.sha256).hexdigest()
            inst = instances().get(iid)
            if not hmac.compare_digest(want, one["X-Instance-ID-Signature"][0]):
                code, why = 403, "bad signature"
            elif inst is None:
                code, why = 404, "unknown instance"
            elif inst["tenant"] != one["X-Tenant-ID"][0]:
                code, why = 404, "wrong tenant"
            else:
                try:
                    a = ipaddress.ip_address(one["X-Forwarded-For"][0].split("%")[0])
                    a = getattr(a, "ipv4_mapped", None) or a
                    xff_ok = str(a) in inst["ips"]
                except ValueError:
                    code, why = 400, "bad X-Forwarded-For"
        ctype, out = "text/plain", why.encode()
        if self.path.split("?")[0].strip("/") == "":
            code = 200
        if code == 200:
            code, ctype, out = content(self.command, self.path, iid, inst)
            if code != 200:
                why = "no such path"
        with LOCK, open(LOG, "a") as f:
            f.write(json.dumps({
                "method": self.command, "path": self.path, "headers": hdr,
                "instance": iid, "verdict": why, "code": code,
                "tenant": (one["X-Tenant-ID"] or [None])[0],
                "xff": one["X-Forwarded-For"], "xff_ok": xff_ok,
                "signed_ok": why not in ("bad signature",) and iid is not None,
                "body_len": len(body),
                "body_sha256": hashlib.sha256(body).hexdigest(),
                "name": inst["name"] if inst else None}) + "\n")
        self.send_response(code)
        self.send_header("Content-Type", ctype)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(out)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer
    do_CONNECT = do_TRACE = do_PATCH = answer

    def log_message(self, *a):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


Server((HOST, int(PORT)), Handler).serve_forever()
