"""Checks behind the OVN metadata agent; two tenants have the same addresses."""
import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import time

import settings
import spoof
import spoof_cases
from ovn_stage import (
    agent_log, AGENT_STATE, BRIDGE, down, HERE, INSTANCES, LOG, MD, META_JSON, MONITOR_INTERVAL, nbctl, NETS,
    no_offload, NOVA, ovnmeta, plug, proxy, PROXY_USER, start_agent, STARTED, SYSLOG, unplug, vm_ns, VMS,
    vsctl)
from guests import curl, identity, inside, namespace_exists, raw
from processes import alive, children, read, sh, signal_ours, starttime, wait_for, with_text, write
from results import Results
from spawned import Proxy, pss


RESULTS = Results("ovn")


def check_start():
    """Agent start -> namespaces -> proxies -> first answer."""
    t0 = start_agent()
    seen = {}

    def look():
        for net in NETS:
            for key, good in (
                ("ns", lambda: namespace_exists(ovnmeta(net))),
                ("conf", lambda: os.path.exists(proxy(net).conf_file)),
                ("proxy", lambda: proxy(net).active())):
                k = (net, key)
                if k not in seen and good():
                    seen[k] = time.monotonic() - t0
        return len(seen) == 3 * len(NETS)

    wait_for(look, 60, 0.005)
    for k in ("ns", "conf", "proxy"):
        got = [seen.get((n, k)) for n in NETS]
        RESULTS.check(all(got), "agent made %s for both networks" % k, got)
        if all(got):
            RESULTS.note("agent start -> %s (s)" % k, ", ".join("%.2f" % x for x in sorted(got)))
    for net in NETS:
        no_offload(net)
    (code, body, _, _), dt = wait_for(
        lambda: (lambda r: r if r[0] == 200 else None)(
            curl(vm_ns("a1"), META_JSON, timeout=2)), 30, 0.02)
    RESULTS.note("agent start -> first 200 in a guest (s)", "%.2f" % (time.monotonic() - t0))


def check_plumbing():
    for net, n in NETS.items():
        ns, tap = ovnmeta(net), "tap" + n["id"][:10]
        RESULTS.check(namespace_exists(ns), "%s exists" % ns)
        a = inside(ns, "ip", "-br", "addr", "show", "dev", tap + "1")
        RESULTS.check("169.254.169.254/32" in a and n["meta_ip"] + "/24" in a,
                      "net %s: %s1 has 169.254.169.254/32 and the port's address" %
                      (net, tap), a)
        RESULTS.equal(vsctl("get", "Interface", tap + "0",
                            "external_ids:iface-id").strip().strip('"'),
                      n["meta_port"], "net %s: %s0 is on the bridge with its iface-id"
                      % (net, tap))
        st = os.stat(AGENT_STATE + "/metadata_proxy")
        RESULTS.note("net %s: agent socket" % net, "mode %o uid %d" % (st.st_mode & 0o777, st.st_uid))
        proxy(net).verify(RESULTS, "net " + net, 80, user=PROXY_USER)
    RESULTS.note("proxy command (agent log)", next(
        (x.split("Running command: ")[1][:200] for x in agent_log()
         .splitlines() if "Running command" in x and "haproxy" in x), "?"))
    conf = read(proxy("A").conf_file, "")
    write(os.path.join(HERE, "proxy-A.conf"), conf)


def check_identity():
    inst = json.loads(read(INSTANCES))
    for vm, v in VMS.items():
        m = NOVA.mark()
        code, body, dt, hdr = curl(vm_ns(vm), META_JSON)
        RESULTS.equal(code, 200, "%s: meta_data.json is 200" % vm)
        RESULTS.equal(identity(body), vm, "%s: and it is its own" % vm)
        seen = NOVA.since(m)
        RESULTS.check(len(seen) == 1 and seen[0]["instance"] == v["instance"] and
                      seen[0]["tenant"] == NETS[v["net"]]["tenant"] and
                      seen[0]["signed_ok"],
                      "%s: Nova got one request, right instance, tenant and "
                      "signature" % vm, seen)
        RESULTS.check(seen and seen[0]["xff"] == [v["ip"]],
                      "%s: X-Forwarded-For is exactly the fixed address" % vm,
                      seen and seen[0]["xff"])
        RESULTS.note("%s: GET meta_data.json (ms, with curl's start)" % vm, round(dt * 1000))
        want = base64.b64decode(inst[v["instance"]]["userdata_b64"])
        for p in ("/openstack/latest/user_data", "/latest/user-data"):
            code, body, _, _ = curl(vm_ns(vm), MD + p)
            RESULTS.check(code == 200 and body == want,
                          "%s: %s byte for byte (%d bytes)" % (vm, p, len(want)),
                          (code, len(body)))
        for p, w in (("/latest/meta-data/instance-id",
                      "i-" + v["instance"][:8]),
                     ("/latest/meta-data/local-ipv4", v["ip"]),
                     ("/latest/meta-data/public-keys/0/openssh-key",
                      "ssh-ed25519 AAAA%s interop" % vm)):
            code, body, _, _ = curl(vm_ns(vm), MD + p)
            RESULTS.equal((code, body.decode()), (200, w), "%s: %s" % (vm, p))
    for p, w in (("/", 200), ("/openstack", 200), ("/openstack/", 200),
                 ("/openstack/2018-08-27/network_data.json", 200),
                 ("/nope", 404), ("/openstack/latest/nope", 404),
                 ("/latest/meta-data/", 200), ("/latest/meta-data", 200)):
        RESULTS.equal(curl(vm_ns("a1"), MD + p)[0], w, "a1: GET %s" % p)
    m = NOVA.mark()
    pw = "secret " * 100
    code, _, _, _ = curl(vm_ns("a1"), MD + "/openstack/latest/password", "--data-binary", pw)
    s = NOVA.since(m)
    RESULTS.check(code == 200 and len(s) == 1 and s[0]["method"] == "POST" and
                  s[0]["body_sha256"] == hashlib.sha256(pw.encode()).hexdigest(),
                  "a1: POST password reaches Nova intact", (code, s))
    m = NOVA.mark()
    code, _, _, _ = curl(vm_ns("a1"), MD + "/openstack/latest/password",
                         "-H", "Transfer-Encoding: chunked",
                         "--data-binary", pw)
    s = NOVA.since(m)
    RESULTS.check(code == 200 and len(s) == 1, "a1: chunked POST reaches Nova", (code, s))
    RESULTS.note("a1: chunked POST of %d bytes: bytes that Nova gets" % len(pw),
                 s[0]["body_len"] if s else None)
    RESULTS.equal(curl(vm_ns("a1"), META_JSON, "-I")[0], 200, "a1: HEAD is 200")
    # one connection, many requests
    n = 20
    p = subprocess.run(
        ["ip", "netns", "exec", vm_ns("a1"), "curl", "-sS", "-w",
         "%{http_code} %{num_connects}\n", "-o", "/dev/null"] +
        sum([[META_JSON + "?n=%d" % i] + (["-o", "/dev/null"] if i else [])
             for i in range(n)], []), stdout=subprocess.PIPE, text=True)
    got = [x.split() for x in p.stdout.splitlines()]
    RESULTS.check(len(got) == n and all(g[0] == "200" for g in got),
                  "a1: %d requests with one curl are all 200" % n, p.stdout)
    RESULTS.note("connections for 20 keep-alive requests", sum(int(g[1]) for g in got))
    # concurrency
    t0 = time.monotonic()
    ps = [subprocess.Popen(
        ["ip", "netns", "exec", vm_ns(vm), "curl", "-sS", "--max-time", "20",
         META_JSON + "?c=%d" % i], stdout=subprocess.PIPE)
          for i in range(10) for vm in VMS]
    names = [identity(q.communicate()[0]) for q in ps]
    RESULTS.equal(names, [vm for _ in range(10) for vm in VMS],
                  "30 parallel requests of three guests: everyone gets its own")
    RESULTS.note("30 parallel requests (s)", "%.2f" % (time.monotonic() - t0))


def check_source_spoof():
    """OVN's port security: a guest cannot take its neighbour's address."""
    m = NOVA.mark()
    inside(vm_ns("a1"), "ip", "addr", "add", "192.168.77.11/24", "dev", "eth0")
    r = raw(vm_ns("a1"), [{
        "name": "src", "host": "169.254.169.254", "timeout": 3,
        "source": "192.168.77.11",
        "raw": "GET /openstack/latest/meta_data.json HTTP/1.1\r\n"
        "Host: 169.254.169.254\r\nConnection: close\r\n\r\n"}])[0]
    inside(vm_ns("a1"), "ip", "addr", "del", "192.168.77.11/24", "dev", "eth0")
    RESULTS.check(not NOVA.since(m) and not r["data"],
                  "a1 with a2's source address gets nowhere (port security)", r)


def spoof_table():
    """a1 attacks: its neighbour a2, and b1 (another tenant, same address)."""
    return spoof_cases.cases(
        "X-OVN-Network-ID", "X-OVN-Router-ID", NETS["A"]["id"],
        NETS["B"]["id"], VMS["a1"]["ip"], VMS["a2"]["ip"],
        VMS["a2"]["instance"])


def check_spoof():
    t = spoof_table()
    v, bad = spoof.run(RESULTS, HERE, "ovn", NOVA, vm_ns("a1"), "a1", list(VMS), t)
    spoof.verdicts(RESULTS, "ovn", v, bad)


def check_cloudinit():
    for vm in ("a1", "b1"):
        p = subprocess.run(
            ["ip", "netns", "exec", vm_ns(vm), settings.PYTHON,
             os.path.join(settings.DIRECTORY, "cloudinit_crawl.py"),
             os.path.join(HERE, "cloudinit-" + vm)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=120)
        write(os.path.join(LOG, "cloudinit-%s.log" % vm), p.stderr)
        try:
            r = json.loads(p.stdout)
        except ValueError:
            RESULTS.check(False, "%s: cloud-init crawl" % vm, p.stderr[-600:])
            continue
        i = VMS[vm]["instance"]
        RESULTS.equal(r["reader"]["uuid"], i, "%s: cloud-init read_metadata_service finds the instance" % vm)
        RESULTS.check(r["reader"]["userdata"].endswith("hostname: %s\n" % vm),
                      "%s: with its user data" % vm, r["reader"])
        RESULTS.equal(r["reader"]["ec2_instance_id"], "i-" + i[:8], "%s: and the EC2 tree" % vm)
        RESULTS.equal(r["ds"]["instance_id"], i, "%s: DataSourceOpenStack crawls and sets instance-id" % vm)
        RESULTS.equal(r["ds"]["network_mac"], VMS[vm]["mac"],
                      "%s: its network_config has the guest's MAC" % vm)
        RESULTS.note("%s: cloud-init crawl (s)" % vm, "reader %.2f, ds %.2f" % (
            r["reader"]["seconds"], r["ds"]["seconds"]))


def check_respawn():
    for sig, label in ((signal.SIGKILL, "SIGKILL"), (signal.SIGTERM, "SIGTERM")):
        px = proxy("A")
        old = px.pid
        others = [(pid, starttime(pid)) for pid in px.family() if pid != old]
        signal_ours(old, px.uuid, sig)
        wait_for(lambda: not alive(old), 5, 0.005)
        RESULTS.check(not alive(old), "proxy A dies on %s" % label)
        RESULTS.note("pid file after %s" % label,
                     "left, names the dead pid" if os.path.exists(px.pid_file)
                     else "removed")
        gone, _ = wait_for(lambda: not any(starttime(pid) == start and alive(pid) for pid, start in others), 1, 0.005)
        RESULTS.check(gone, "and its %d other processes with it" % len(others), others)
        new, dt = wait_for(lambda: px.active() and px.pid != old and px.pid, 3 * MONITOR_INTERVAL + 10, 0.02)
        RESULTS.check(new, "the process monitor respawns it after %s" % label)
        RESULTS.note("respawned after %s (s, monitor interval %d)" % (label, MONITOR_INTERVAL), "%.2f" % dt)
        served, _ = wait_for(lambda: curl(vm_ns("a1"), META_JSON, timeout=3)[0] == 200, 10)
        RESULTS.check(served, "and it serves again")
        RESULTS.equal(len(px.family()), len(proxy("B").family()), "no process of the old one is left")


def check_wire():
    """While the agent is down: what the proxy hands to its socket."""
    if settings.QUICK:
        return
    w = spoof.wire(HERE, "ovn", AGENT_STATE + "/metadata_proxy", vm_ns("a1"), spoof_table())
    RESULTS.check(w["baseline"]["forwarded"], "wire: the baseline was forwarded")
    RESULTS.note("wire: baseline as the agent gets it", repr((w["baseline"]["forwarded"] or [""])[0]))
    RESULTS.note("wire: cases that reach the agent", "%d of %d" % (
        sum(1 for x in w.values() if x["forwarded"]), len(w)))
    many = [n for n, x in w.items() if any(
        ".second HTTP" in f.split("\r\n\r\n", 1)[-1] for f in
        x["forwarded"])]
    RESULTS.note("wire: a second request line inside one connection to the agent", many)


def check_agent_restart():
    before = {n: proxy(n).pid for n in NETS}
    t0 = time.monotonic()
    pid = STARTED.get("60-agent")
    left = STARTED.stop("60-agent", family=True)
    RESULTS.note("agent stopped by SIGTERM (s)", "%.2f" % (time.monotonic() - t0))
    RESULTS.check(not left, "no agent process is left", left)
    RESULTS.check(all(alive(p) for p in before.values()), "both proxies survive the agent's end")
    check_wire()
    code, body, dt, hdr = curl(vm_ns("a1"), META_JSON)
    RESULTS.check(code in (502, 503, 504), "without agent the guest gets a 5xx from the proxy", code)
    RESULTS.note("without agent: reply", "%d after %.2f s, headers %r" % (code, dt, hdr.strip()[:160]))
    log0 = len(agent_log())
    t0 = start_agent()
    r, _ = wait_for(lambda: curl(vm_ns("a1"), META_JSON, timeout=3)[0] == 200, 60)
    RESULTS.note("agent restart -> 200 again (s)", "%.2f" % (time.monotonic() - t0))
    RESULTS.check(r, "after the agent's restart the guest is served again")
    RESULTS.equal({n: proxy(n).pid for n in NETS}, before, "by the very same proxies (not respawned)")
    for vm in VMS:
        RESULTS.equal(identity(curl(vm_ns(vm), META_JSON)[1]), vm,
                      "%s: right identity after the restart" % vm)
    # the hard way, once the agent has settled
    wait_for(lambda: len(re.findall("Provisioning metadata for network", agent_log()[log0:])) >= 2, 30)
    time.sleep(1.5)
    pid = STARTED.get("60-agent")
    fam = [(c, starttime(c)) for c in children(pid)]
    os.kill(pid, signal.SIGKILL)
    STARTED.reap("60-agent", pid, 10)
    wait_for(lambda: not any(starttime(c) == s and alive(c) for c, s in fam), 15)
    RESULTS.note("agent processes left after SIGKILL", [c for c, s in fam if starttime(c) == s and alive(c)])
    for c, s in fam:
        if starttime(c) == s and alive(c):
            os.kill(c, signal.SIGKILL)
    RESULTS.check(all(alive(p) for p in before.values()), "both proxies survive the agent's SIGKILL")
    # one proxy dies while no agent runs: the start must bring it back
    signal_ours(before["B"], proxy("B").uuid)
    wait_for(lambda: not alive(before["B"]), 5)
    start_agent()
    r, dt = wait_for(lambda: proxy("B").active() and curl(vm_ns("b1"), META_JSON, timeout=3)[0] == 200, 60)
    RESULTS.check(r, "a proxy which died without agent is started again by it")
    RESULTS.equal(proxy("A").pid, before["A"], "the other one is left alone")
    RESULTS.equal(identity(curl(vm_ns("b1"), META_JSON)[1]), "b1", "b1: right identity")


def check_removal():
    px = proxy("B")
    old = px.pid
    t0 = time.monotonic()
    unplug("b1")
    gone, _ = wait_for(lambda: not namespace_exists(ovnmeta("B")), 30, 0.01)
    RESULTS.note("last port unbound -> namespace gone (s)", "%.2f" % (time.monotonic() - t0))
    RESULTS.check(gone, "the last guest of net B leaves: its namespace is removed")
    wait_for(lambda: not px.family(), 5)
    RESULTS.check(not alive(old), "its proxy is gone")
    RESULTS.equal(px.family(), [], "and so is every process of it")
    RESULTS.check(not os.path.exists(px.pid_file), "its pid file is removed")
    RESULTS.check(not os.path.exists(px.conf_file), "its configuration is removed")
    RESULTS.check(not os.path.exists("/sys/class/net/tap%s0" % NETS["B"]["id"][:10]), "its veth is removed")
    RESULTS.check(proxy("A").active(), "the other network's proxy is untouched")
    t0 = time.monotonic()
    plug("b1")
    up_, _ = wait_for(lambda: proxy("B").active(), 30, 0.01)
    RESULTS.check(up_, "the guest comes back: the proxy is spawned again")
    RESULTS.note("port bound -> proxy up (s)", "%.2f" % (time.monotonic() - t0))
    no_offload("B")
    r, _ = wait_for(lambda: identity(curl(vm_ns("b1"), META_JSON, timeout=3)[1]) == "b1", 20)
    RESULTS.check(r, "and serves b1")


def check_scale():
    """More networks at once."""
    n = settings.NETWORKS
    if not n:
        return
    ids = ["5ca1e%03d-1111-4111-8111-%012d" % (i, i) for i in range(n)]
    pxs = [Proxy(i, "%s/external/pids/%s.pid.haproxy" % (AGENT_STATE, i),
                 "%s/ovn-metadata-proxy/%s.conf" % (AGENT_STATE, i),
                 "ovnmeta-" + i) for i in ids]
    for k, i in enumerate(ids):
        nbctl("ls-add", "neutron-" + i, "--",
              "lsp-add", "neutron-" + i, "meta-" + i, "--",
              "lsp-set-type", "meta-" + i, "localport", "--",
              "lsp-set-addresses", "meta-" + i, "fa:16:3e:5c:%02x:02 "
              "172.16.0.2" % k, "--", "set", "Logical_Switch_Port",
              "meta-" + i, 'external_ids:neutron\\:cidrs="172.16.0.2/24"',
              "--", "lsp-add", "neutron-" + i, "vm-" + i, "--",
              "lsp-set-addresses", "vm-" + i, "fa:16:3e:5c:%02x:10 "
              "172.16.0.10" % k)
    t0 = time.monotonic()
    for k, i in enumerate(ids):
        vsctl("add-port", BRIDGE, "iops-%d" % k, "--", "set", "Interface",
              "iops-%d" % k, "type=internal", "external_ids:iface-id=vm-" + i)
    good, _ = wait_for(lambda: all(p.active() for p in pxs), 60 + 2 * n, 0.05)
    RESULTS.check(good, "scale: %d more networks get their proxies" % n)
    RESULTS.note("scale: %d ports plugged -> %d proxies up (s)" % (n, n), "%.2f" % (time.monotonic() - t0))
    sizes = [sum(pss(x) for x in p.family()) for p in pxs]
    RESULTS.note("scale: memory of a proxy (PSS, KiB)", "mean %d, max %d" % (
        sum(sizes) / len(sizes), max(sizes)))
    # a host that boots: no proxy runs, the agent has to start all of them
    STARTED.stop("60-agent", family=True)
    for p in pxs:
        for pid in p.family():
            signal_ours(pid, p.uuid)
    wait_for(lambda: not any(p.family() for p in pxs), 10)
    t0 = start_agent()
    first, _ = wait_for(lambda: any(p.active() for p in pxs), 60, 0.02)
    t1 = time.monotonic() - t0
    good, _ = wait_for(lambda: all(p.active() for p in pxs), 60 + 2 * n, 0.02)
    t2 = time.monotonic() - t0
    RESULTS.check(good, "scale: an agent that starts brings all %d back" % n)
    RESULTS.note("scale: agent start -> first / all %d proxies (s)" % n,
                 "%.2f / %.2f, %.0f ms a network" % (
                     t1, t2, 1000 * (t2 - t1) / max(1, n - 1)))
    t0 = time.monotonic()
    for k in range(n):
        vsctl("del-port", BRIDGE, "iops-%d" % k)
    gone, _ = wait_for(lambda: not any(p.family() or namespace_exists(p.ns) for p in pxs), 60 + 2 * n, 0.05)
    RESULTS.check(gone, "scale: all are gone with their ports")
    RESULTS.note("scale: %d ports removed -> all gone (s)" % n, "%.2f" % (time.monotonic() - t0))
    for i in ids:
        nbctl("ls-del", "neutron-" + i)


def check_log():
    t = read(SYSLOG, "")
    mine = [x for x in t.splitlines() if "haproxy-metadata-proxy-" + NETS["A"]["id"] in x]
    RESULTS.note("syslog lines with net A's tag", len(mine))
    hit = [x for x in mine if "meta_data.json" in x]
    RESULTS.note("a syslog line", hit[0] if hit else None)
    err = [x for x in agent_log().splitlines() if re.match(r"\S+ \S+ \d+ ERROR ", x)]
    RESULTS.note("ERROR lines in the agent log", len(err))


def check_teardown():
    left = down()
    RESULTS.check(not left, "teardown: no agent process left", left)
    RESULTS.equal(with_text(HERE + "/"), [], "teardown: no process of the run left")
    ns = sh("ip", "netns", "list")
    RESULTS.check(not any(ovnmeta(n) in ns for n in NETS) and
                  not any(vm_ns(v) in ns for v in VMS),
                  "teardown: no namespace left", ns)


CHECKS = [check_start, check_plumbing, check_identity, check_source_spoof, check_spoof, check_cloudinit,
          check_respawn, check_agent_restart, check_removal, check_scale, check_log]
