"""metaward in a minute: two tenants with the same addresses, one agent, two confined proxies. usage: demo.py PREFIX

Everything shown is asked of the running system: the answers as the guests got them, the facts as the kernel tells
them. Whatever it makes, it removes, also when it is interrupted.
"""
import contextlib
import os
import signal
import sys
import time

os.environ["METAWARD_PREFIX"] = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "system"))

from harness import NETWORK, OTHER, Agent, Client, Proxy, Tenant  # noqa: E402

INSTANCES = {(NETWORK, Tenant.GUEST): "i-00000001 (web of the blue tenant)",
             (OTHER, Tenant.GUEST): "i-00000002 (db of the red tenant)"}
URL = "/latest/meta-data/instance-id"
BOLD, DIM, END = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


def title(text):
    print("\n%s%s%s" % (BOLD, text, END))


def nova(request):
    """The stub agent: believes the headers, as the real one does, and names the instance."""
    who = (request.header("X-Neutron-Network-ID"), request.header("X-Forwarded-For"))
    body = INSTANCES.get(who, "nobody I know: %s" % (who,))
    status = "200 OK" if who in INSTANCES else "404 Not Found"
    return ("HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)).encode()


def ask(tenant, headers="", address="169.254.169.254"):
    with Client(tenant.guest.connect(address)) as guest:
        answer = guest.get(URL, headers=headers)
        return answer.status, answer.body.decode()


def show_answers(tenants):
    title("1. Two guests, the same address 10.0.0.5, the same URL, one agent")
    seen = set()
    for colour, tenant in tenants:
        status, body = ask(tenant)
        print("   guest of the %-4s tenant:  GET http://169.254.169.254%s  ->  %d %s" % (colour, URL, status, body))
        seen.add(body)
    if seen != set(INSTANCES.values()):
        sys.exit("demo: the guests did not get their own answers")


def show_spoofing(tenants, agent):
    title("2. The blue guest claims to be the red one")
    blue = tenants[0][1]
    lies = "X-Forwarded-For: 10.0.0.99\r\nX-Neutron-Network-ID: %s\r\nX_Neutron_Network_ID: %s\r\nForwarded: for=10.0.0.99\r\n" % (OTHER, OTHER)
    for line in lies.split("\r\n")[:-1]:
        print("   sends     %s" % line)
    status, body = ask(blue, lies)
    print("   and gets  %d %s" % (status, body))
    for name, value in agent.requests[-1].headers[:2]:
        print("   the agent saw  %s: %s" % (name, value))
    if body != INSTANCES[(NETWORK, Tenant.GUEST)]:
        sys.exit("demo: the lie worked")
    with Client(blue.guest.connect("169.254.169.254")) as guest:
        guest.send("GET %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % URL)
        print("   a request that can be read in two ways (length and chunked): %d" % guest.answer().status)


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def anonymous(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss_Anon"))


def show_facts(proxy):
    title("3. What the kernel says of the processes that serve the blue tenant")
    rows = [("parent", proxy.pid), ("nursery", proxy.nursery), ("worker", proxy.worker)]
    facts = ["Uid", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp", "Seccomp_filters"]
    print("   %-18s %s" % ("", "".join("%-20s" % ("%s (%d)" % row) for row in rows)))
    status = {name: status_of(pid) for name, pid in rows}
    for fact in facts:
        print("   %-18s %s" % (fact, "".join("%-20s" % status[name][fact].split("\t")[0] for name, _ in rows)))
    for kind in ("net", "mnt", "pid", "ipc", "uts"):
        mine = os.stat("/proc/self/ns/" + kind).st_ino
        print("   %-18s %s" % (kind + " namespace", "".join(
            "%-20s" % ("the host's" if os.stat("/proc/%d/ns/%s" % (pid, kind)).st_ino == mine else "its own") for _, pid in rows)))
    print("   %-18s %s" % ("private memory", "".join("%-20s" % ("%d kB" % anonymous(pid)) for _, pid in rows)))
    worker = proxy.worker
    print("   the worker's root directory:  %s" % ", ".join("/" + name for name in sorted(os.listdir("/proc/%d/root" % worker))))
    print("   the worker's descriptors:")
    for fd in sorted(os.listdir("/proc/%d/fd" % worker), key=int):
        print("      %s  %s" % (fd, os.readlink("/proc/%d/fd/%s" % (worker, fd))))


def show_policy(proxy):
    title("4. All the system calls that the worker has (metawardd --print-policy)")
    text = os.popen("%s --print-policy" % proxy.command[0]).read()
    section = text[text.index("\nworker: ") + 1:].split("\n\n")[0]
    for line in section.splitlines():
        print("   " + line)


def show_restart(proxy, tenant):
    title("5. The worker is killed; the parent, which has no power left, has another one started")
    old = proxy.worker
    started = time.monotonic()
    os.kill(old, signal.SIGKILL)
    status, body = ask(tenant)
    took = (time.monotonic() - started) * 1000
    print("   worker %d killed; a guest that knocked at that moment got %d %s after %.0f ms, from worker %d"
          % (old, status, body, took, proxy.worker))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        blue, red = stack.enter_context(Tenant()), stack.enter_context(Tenant())
        agent = stack.enter_context(Agent(answer=nova))
        options = ["--log-level", "requests"]
        first = stack.enter_context(Proxy(agent, *options, netns=blue.proxy, network=NETWORK))
        stack.enter_context(Proxy(agent, *options, netns=red.proxy, network=OTHER))
        tenants = [("blue", blue), ("red", red)]
        show_answers(tenants)
        show_spoofing(tenants, agent)
        show_facts(first)
        show_policy(first)
        show_restart(first, blue)
        title("6. What was logged for the blue tenant")
        for line in first.lines:
            print("   %s%s%s" % (DIM, line, END))
    print("\nNamespaces, processes and files of the demonstration are gone.")


if __name__ == "__main__":
    main()
