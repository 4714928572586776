"""Checks behind the metadata agent, with proxies spawned by the driver of the DHCP and L3 agents."""
import json
import os
import re
import subprocess
import time

import settings
import spoof
import spoof_cases
from classic_stage import (
    ALL, cmd, down, FAR, HERE, ini, link, LOG, MD, MD6, META, MONITOR_INTERVAL, NET, NOVA, OTHER, pnet, prouter,
    proxy, PROXY_USER, QDHCP, QR, QROUTER, QSPARE, rate_limiting, RNET, ROUTER, RPC, SOCK, SPARE, spawn_network,
    start_agent, start_driver, STARTED, SW, SYSLOG, TAP, vm_ns, VMS)
from guests import curl, identity, inside
from processes import alive, read, sh, signal_ours, wait_for, with_text, write
from results import Results


RESULTS = Results("classic")


def served(vm, url=MD, timeout=3):
    return identity(curl(vm_ns(vm), url + META, timeout=timeout)[1]) == vm


def check_start():
    RESULTS.note("this release has metadata_rate_limiting", rate_limiting())
    t0 = time.monotonic()
    start_agent()
    _, dt = wait_for(lambda: os.path.exists(SOCK), 30, 0.01)
    RESULTS.note("agent start -> its socket (s)", "%.2f" % dt)
    st = os.stat(SOCK)
    RESULTS.note("agent socket", "mode %o uid %d" % (st.st_mode & 0o777, st.st_uid))
    start_driver()
    # the network: addresses first, so that the IPv6 one is still tentative
    for a in ("10.0.0.2/24", "169.254.169.254/32", "fe80::a9fe:a9fe/64"):
        inside(QDHCP, "ip", "addr", "add", a, "dev", TAP)
    r = spawn_network()
    RESULTS.check(r["ok"], "driver: spawn for a network (DHCP agent's arguments)", r.get("trace"))
    RESULTS.note("spawn for a network, DAD wait included (s)", "%.2f" % r["seconds"])
    r = cmd(op="router", id=ROUTER)
    RESULTS.check(r["ok"], "driver: after_router_added (L3 agent)", r.get("trace"))
    RESULTS.note("spawn for a router, namespace and iptables included (s)", "%.2f" % r["seconds"])
    link(QROUTER, QR, "fa:16:3e:0d:00:01", "br-r")
    inside(QROUTER, "ip", "addr", "add", "10.1.0.1/24", "dev", QR)
    for vm in VMS:
        ok, _ = wait_for(lambda: served(vm), 15)
        RESULTS.check(ok, "%s is served" % vm)
    RESULTS.note("both agents' start -> all guests served (s)", "%.2f" % (time.monotonic() - t0))


def check_verify():
    pnet().verify(RESULTS, "network", 80, user=PROXY_USER)
    prouter().verify(RESULTS, "router", 9697, user=PROXY_USER)
    s = inside(QDHCP, "ss", "-Hltn")
    RESULTS.check("169.254.169.254:80" in s and "fe80::a9fe:a9fe" in s,
                  "network: bound to 169.254.169.254:80 and [fe80::a9fe:a9fe]:80",
                  s)
    for n, px in (("network", pnet()), ("router", prouter())):
        write(os.path.join(HERE, "proxy-%s.conf" % n), read(px.conf_file, ""))
        RESULTS.note("%s: bind lines" % n, re.findall(r"^\s*(bind .*)$", read(px.conf_file, ""), re.M))
        RESULTS.note("%s: http-request lines" % n, re.findall(
            r"^\s*(http-request .*)$", read(px.conf_file, ""), re.M))
    RESULTS.note("router: nat rules", [x for x in inside(
        QROUTER, "iptables-save", "-t", "nat").splitlines() if "9697" in x])


def check_identity():
    for vm, v in VMS.items():
        urls = [MD] + ([MD6] if vm[0] == "n" else [])
        for u in urls:
            m = NOVA.mark()
            code, body, dt, _ = curl(vm_ns(vm), u + META)
            what = "%s over IPv%d" % (vm, 6 if u == MD6 else 4)
            RESULTS.equal((code, identity(body)), (200, vm), what + ": 200 and its own")
            s = NOVA.since(m)
            RESULTS.check(len(s) == 1 and s[0]["instance"] == v["instance"] and
                          s[0]["tenant"] == v["tenant"] and s[0]["signed_ok"] and
                          s[0]["xff_ok"],
                          what + ": right instance, tenant, signature, address", s)
            RESULTS.note(what + ": X-Forwarded-For at Nova", s and s[0]["xff"])
            code, body, _, _ = curl(vm_ns(vm), u + "/latest/user-data")
            RESULTS.check(code == 200 and body.endswith(b"hostname: %s\n" %
                                                        vm.encode()),
                          what + ": user-data", (code, body))
            RESULTS.equal(curl(vm_ns(vm), u + "/nope")[0], 404, what + ": 404")
    rpc = [json.loads(x)["filters"] for x in (read(RPC) or "").splitlines()]
    RESULTS.note("port look-ups (network, IPv6)", next((f for f in rpc if "mac_address" in f), None))
    RESULTS.note("port look-ups (router)", [f for f in rpc if "device_id" in f][:1] +
                 [f for f in rpc if RNET in f.get("network_id", [])][:1])
    # IPv6 through the router: with the address on the router's port, and without
    code, _, _, _ = curl(vm_ns("r1"), MD6 + META, timeout=3)
    RESULTS.note("r1: [fe80::a9fe:a9fe] through the router as Neutron sets it up", code or "no answer")
    inside(QROUTER, "ip", "addr", "add", "fe80::a9fe:a9fe/64", "dev", QR, "nodad")
    ok, _ = wait_for(lambda: served("r1", MD6), 6)
    code, body, _, _ = curl(vm_ns("r1"), MD6 + META, timeout=3)
    RESULTS.note("r1: the same with the address put on the router's port", (code, identity(body)))
    inside(QROUTER, "ip", "addr", "del", "fe80::a9fe:a9fe/64", "dev", QR)


def table_net():
    return spoof_cases.cases("X-Neutron-Network-ID", "X-Neutron-Router-ID", NET,
                             OTHER, VMS["n1"]["ip"], VMS["n2"]["ip"],
                             VMS["n2"]["instance"])


def table_router():
    return spoof_cases.cases("X-Neutron-Router-ID", "X-Neutron-Network-ID", ROUTER,
                             OTHER, VMS["r1"]["ip"], VMS["r2"]["ip"],
                             VMS["r2"]["instance"], other_ip=FAR["v9"]["ip"])


def check_spoof():
    for label, px, vm, t in (("network", pnet(), "n1", table_net()),
                             ("router", prouter(), "r1", table_router())):
        v, bad = spoof.run(RESULTS, HERE, label, NOVA, vm_ns(vm), vm, list(ALL), t)
        spoof.verdicts(RESULTS, label, v, bad)
        if not wait_for(lambda: served(vm), 15)[0]:
            RESULTS.check(False, "%s is served again after the table" % vm)


def check_cloudinit():
    for vm, base in (("n1", None), ("n1", MD6), ("r1", None)):
        what = "%s %s" % (vm, base or MD)
        p = subprocess.run(
            ["ip", "netns", "exec", vm_ns(vm), settings.PYTHON,
             os.path.join(settings.DIRECTORY, "cloudinit_crawl.py"),
             os.path.join(HERE, "cloudinit-" + vm)] + ([base] if base else []),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=120)
        try:
            r = json.loads(p.stdout)
        except ValueError:
            RESULTS.check(False, "%s: cloud-init crawl" % what, p.stderr[-800:])
            continue
        RESULTS.equal((r["reader"]["uuid"], r["ds"]["instance_id"]),
                      (VMS[vm]["instance"],) * 2,
                      "%s: cloud-init reads and DataSourceOpenStack crawls" % what)
        RESULTS.equal(r["ds"]["network_mac"], VMS[vm]["mac"], "%s: with the right network_config" % what)


def check_respawn():
    for n, px, vm in (("network", pnet(), "n1"), ("router", prouter(), "r1")):
        old = px.pid
        signal_ours(old, px.uuid)
        new, dt = wait_for(lambda: px.active() and px.pid != old and px.pid, 3 * MONITOR_INTERVAL + 10, 0.02)
        RESULTS.check(new, "%s: respawned by the process monitor" % n)
        RESULTS.note("%s: respawned after (s, interval %d)" % (n, MONITOR_INTERVAL), "%.2f" % dt)
        RESULTS.check(wait_for(lambda: served(vm), 10)[0], "%s: and %s is served again" % (n, vm))


def check_restart():
    before = (pnet().pid, prouter().pid)
    STARTED.stop("50-agent", family=True)
    for n, vm, t in (("network", "n1", table_net()), ("router", "r1", table_router())):
        if not settings.QUICK:
            w = spoof.wire(HERE, n, SOCK, vm_ns(vm), t)
            RESULTS.check(w["baseline"]["forwarded"], "wire: the %s baseline was forwarded" % n)
            RESULTS.note("wire: %s baseline as the agent gets it" % n,
                         repr((w["baseline"]["forwarded"] or [""])[0]))
    code, _, dt, _ = curl(vm_ns("n1"), MD + META)
    RESULTS.check(code in (502, 503, 504), "without metadata agent: 5xx", code)
    RESULTS.note("without metadata agent: reply", "%d after %.2f s" % (code, dt))
    start_agent()
    for vm in VMS:
        RESULTS.check(wait_for(lambda: served(vm), 20)[0], "metadata agent restarted: %s is served" % vm)
    RESULTS.equal((pnet().pid, prouter().pid), before, "by the same proxies")
    # now the agent that owns the proxies
    STARTED.stop("60-driver", family=True)
    RESULTS.check(all(map(alive, before)), "both proxies survive the end of the DHCP/L3 agent")
    RESULTS.check(served("n1") and served("r1"), "and go on serving")
    start_driver()
    r = spawn_network()
    r2 = cmd(op="router", id=ROUTER)
    RESULTS.check(r["ok"] and r2["ok"], "the agent comes back and asks again",
                  (r.get("trace"), r2.get("trace")))
    RESULTS.equal((pnet().pid, prouter().pid), before, "and adopts them, no respawn")
    RESULTS.note("adoption of running proxies (s)", "%.2f, %.2f" % (r["seconds"], r2["seconds"]))
    RESULTS.check(served("n1") and served("r1"), "they still serve")


def check_destroy():
    for n, px, c in (
        ("network", pnet(), {"op": "destroy-network", "id": NET,
                             "ns": QDHCP}),
        ("router", prouter(), {"op": "destroy-router", "id": ROUTER})):
        old = px.pid
        r = cmd(**c)
        RESULTS.check(r["ok"], "%s: destroy_monitored_metadata_proxy" % n, r.get("trace"))
        RESULTS.note("%s: destroy took (s; SIGTERM, then SIGKILL after 5)" % n, "%.2f" % r["seconds"])
        RESULTS.check(r["seconds"] < 4.5, "%s: the proxy obeys SIGTERM" % n, r["seconds"])
        RESULTS.check(not alive(old) and not px.family(), "%s: no process of it is left" % n, px.family())
        RESULTS.check(not os.path.exists(px.pid_file) and
                      not os.path.exists(px.conf_file),
                      "%s: pid file and configuration are removed" % n)
    time.sleep(MONITOR_INTERVAL + 1)
    RESULTS.check(not pnet().family() and not prouter().family(),
                  "the process monitor does not bring them back")
    r = spawn_network()
    RESULTS.check(r["ok"] and wait_for(lambda: served("n1"), 10)[0],
                  "the network comes back: spawned again, serves")


def check_contract():
    """What Neutron's ProcessManager asks of any program it spawns."""
    out = os.path.join(HERE, "seen.json")
    body = ("import json,os,sys;"
            "json.dump({'argv':sys.argv,'env':sorted(os.environ),"
            "'path':os.environ.get('PATH'),'cwd':os.getcwd(),"
            "'umask':oct(os.umask(0)),'uid':os.getuid(),"
            "'fds':{f:os.readlink('/proc/self/fd/'+f) for f in "
            "os.listdir('/proc/self/fd') if os.path.exists("
            "'/proc/self/fd/'+f)}},open(%r,'w'))" % out)
    r = cmd(op="raw-spawn", id=SPARE, ns=QSPARE, cmd=[settings.PYTHON, "-c", body, SPARE])
    RESULTS.check(r["ok"], "contract: a program was spawned", r.get("trace"))
    s = json.loads(read(out, "{}"))
    RESULTS.note("contract: cwd, umask, uid", (s.get("cwd"), s.get("umask"), s.get("uid")))
    RESULTS.note("contract: stdin/out/err", {k: v for k, v in s.get("fds", {}).items() if int(k) < 3})
    RESULTS.note("contract: other inherited descriptors", [
        v for k, v in s.get("fds", {}).items() if int(k) > 2 and
        "/proc/" not in v])
    RESULTS.note("contract: environment", s.get("env"))
    # 1: whoever keeps stdout or stderr open keeps the agent waiting
    r = cmd(op="raw-spawn", id=SPARE, ns=QSPARE, cmd=["sh", "-c", "sleep 3 & exit 0"])
    RESULTS.check(r["seconds"] > 2.5, "contract: a daemon that keeps stdout open "
                  "blocks the agent (%.1f s for a child of 3 s)" % r["seconds"])
    r = cmd(op="raw-spawn", id=SPARE, ns=QSPARE,
            cmd=["sh", "-c", "sleep 1 </dev/null >/dev/null 2>&1 & exit 0"])
    RESULTS.check(r["seconds"] < 0.9, "contract: one that lets go of it does not "
                  "(%.2f s)" % r["seconds"])
    # 2: exit status
    r = cmd(op="raw-spawn", id=SPARE, ns=QSPARE, cmd=["sh", "-c", "echo why >&2; exit 3"])
    RESULTS.check(not r["ok"] and "why" in r["error"],
                  "contract: a status other than 0 raises, with its stderr", r)
    # 3: the pid file is all that counts
    r = cmd(op="raw-spawn", id=SPARE, ns=QSPARE, cmd=["sh", "-c", "exit 0", SPARE])
    RESULTS.check(r["ok"] and not r["value"]["active"],
                  "contract: status 0 without a pid file is not an error, only "
                  "'not active'", r)
    # 4: the running proxy
    px = pnet()
    fds = {f: os.readlink("/proc/%d/fd/%s" % (px.pid, f)) for f in os.listdir("/proc/%d/fd" % px.pid)}
    RESULTS.check(not any("pipe:" in fds.get(i, "") for i in "012"),
                  "contract: the spawned proxy has let go of the agent's pipes", fds)
    # 5: it fails to bind
    inside(QSPARE, "ip", "addr", "add", "169.254.169.254/32", "dev", "lo")
    blk = STARTED.start("70-blocker", [
        "ip", "netns", "exec", QSPARE, settings.PYTHON, "-c",
        "import socket,time; s=socket.socket(); s.setsockopt("
        "socket.SOL_SOCKET,socket.SO_REUSEADDR,1);"
        "s.bind(('169.254.169.254',80)); s.listen(5); time.sleep(60)"],
                        os.path.join(LOG, "stdout"))
    wait_for(lambda: ":80 " in inside(QSPARE, "ss", "-Hltn"), 5)
    t0 = time.monotonic()
    r = cmd(op="network", id=SPARE, ns=QSPARE, bind_address="169.254.169.254")
    RESULTS.check(not r["ok"], "contract: a proxy that cannot bind reports it by "
                  "its exit status (not by dying later)", r)
    RESULTS.note("contract: cannot bind", "%.2f s, %s" % (time.monotonic() - t0, (r["error"] or "")[-300:]))
    STARTED.stop("70-blocker")
    time.sleep(MONITOR_INTERVAL + 1)
    RESULTS.note("contract: retried by the process monitor after a failed first "
                 "spawn", proxy(SPARE, QSPARE).active())
    RESULTS.note("contract: pid file after a failed spawn", os.path.exists(proxy(SPARE, QSPARE).pid_file))
    r = cmd(op="network", id=SPARE, ns=QSPARE, bind_address="169.254.169.254")
    RESULTS.check(r["ok"] and wait_for(proxy(SPARE, QSPARE).active, 5)[0],
                  "contract: asked again, it comes up", r.get("trace"))
    RESULTS.note("contract: spawn without IPv6 and DAD (s)", "%.3f" % r["seconds"])
    r = cmd(op="destroy-network", id=SPARE, ns=QSPARE)


def check_helpers():
    """Which `haproxy` is run under each way of becoming root?"""
    probe = os.path.join(HERE, "probe-bin")
    os.makedirs(probe, exist_ok=True)
    mark = os.path.join(HERE, "probe.txt")
    real = subprocess.run(["which", "haproxy"], stdout=subprocess.PIPE, text=True).stdout.strip()
    write(probe + "/haproxy", "#!/bin/sh\n"
          "echo \"$PATH\" > %s\nexec %s \"$@\"\n" % (mark, real))
    os.chmod(probe + "/haproxy", 0o755)
    for h in ("/usr/bin/env", "sudo", "sudo neutron-rootwrap /etc/neutron/rootwrap.conf"):
        if os.path.exists(mark):
            os.unlink(mark)
        where = os.path.join(HERE, "cmd2")
        STARTED.start("61-driver2",
                      [settings.PYTHON, os.path.join(settings.DIRECTORY, "classic_driver.py"), where,
                       "--config-file", ini("driver2", helper=h)],
                      os.path.join(LOG, "driver2.out"),
                      env={"PATH": probe + ":" + settings.path()})
        r = cmd(where=where, op="network", id=SPARE, ns=QSPARE, bind_address="169.254.169.254")
        RESULTS.check(r["ok"], "root_helper '%s': spawns a proxy" % h, r.get("trace"))
        px = proxy(SPARE, QSPARE)
        RESULTS.note("root_helper '%s'" % h, "%.2f s, %s" % (
            r["seconds"], "first haproxy on the agent's PATH is used"
            if os.path.exists(mark) else
            "the agent's PATH is ignored, runs %s" % (
                os.readlink("/proc/%d/exe" % px.pid) if px.active() else "?")))
        r = cmd(where=where, op="destroy-network", id=SPARE, ns=QSPARE)
        RESULTS.check(r["ok"] and not px.family(), "root_helper '%s': and ends it" % h, r.get("trace"))
        STARTED.stop("61-driver2", family=True)


def check_log():
    t = read(SYSLOG, "")
    mine = [x for x in t.splitlines() if "haproxy-metadata-proxy-" + NET in x]
    RESULTS.note("syslog lines with the network's tag", len(mine))
    hit = [x for x in mine if "meta_data.json" in x]
    RESULTS.note("a syslog line", hit[0] if hit else None)


def check_teardown():
    left = down()
    RESULTS.check(not left, "teardown: no agent process left", left)
    RESULTS.equal(with_text(HERE + "/"), [], "teardown: no process of the run left")
    ns = sh("ip", "netns", "list")
    RESULTS.check(not any(n in ns for n in [QDHCP, QROUTER, QSPARE, SW] +
                          [vm_ns(v) for v in VMS]),
                  "teardown: no namespace left", ns)


CHECKS = [check_start, check_verify, check_identity, check_spoof, check_cloudinit, check_respawn,
          check_restart, check_destroy, check_contract, check_helpers, check_log]
