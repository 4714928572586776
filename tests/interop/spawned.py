"""A proxy as Neutron spawned it, looked at the way Neutron and an operator look at it."""
import os
import pwd

from guests import inside, namespace_inode, process_namespace
from processes import alive, children, cmdline, read, starttime, wait_for, with_text


def pss(pid):
    """Proportional set size: what the process really costs."""
    for x in (read("/proc/%d/smaps_rollup" % pid) or "").splitlines():
        if x.startswith("Pss:"):
            return int(x.split()[1])
    return 0


class Proxy:
    """Looks at one spawned proxy the way Neutron and an operator would."""

    SEEN = {}

    def __init__(self, uuid, pid_file, conf_file, ns):
        self.uuid, self.pid_file = uuid, pid_file
        self.conf_file, self.ns = conf_file, ns

    @property
    def pid(self):
        t = read(self.pid_file)
        return int(t) if t and t.strip().isdigit() else None

    def active(self):
        """Neutron's own notion: the uuid occurs in the pid's command line."""
        p = self.pid
        return bool(p and any(self.uuid in a for a in cmdline(p)))

    def family(self):
        """Every live process that carries this proxy's uuid, and what was ever seen to descend from one."""
        seen = self.SEEN.setdefault(self.uuid, {})
        for p in with_text(self.uuid):
            seen.update((c, starttime(c)) for c in [p] + children(p))
        return sorted(p for p, start in seen.items() if starttime(p) == start and alive(p))

    def verify(self, results, label, port, user=None):
        p, dt = wait_for(lambda: self.active() and self.pid, 10)
        text = read(self.pid_file, "")
        results.check(p, "%s: pid file names a live process that carries the uuid"
                      % label, "%s: %r" % (self.pid_file, text))
        if not p:
            return None
        results.check(text in ("%d\n" % p, "%d" % p),
                      "%s: pid file holds exactly one decimal pid" % label, text)
        results.check(self.uuid in " ".join(cmdline(p)),
                      "%s: /proc/PID/cmdline contains the uuid" % label, cmdline(p))
        results.note("%s command line" % label, " ".join(cmdline(p)))
        results.equal(process_namespace(p), namespace_inode(self.ns),
                      "%s: the process is in the right network namespace" % label)
        results.check(process_namespace(p) != process_namespace(os.getpid()),
                      "%s: which is not the agent's namespace" % label)
        fam = self.family()
        results.note("%s exe" % label, "%s, %d process(es)" % (os.readlink("/proc/%d/exe" % p), len(fam)))
        st = status_of(p)
        results.check("neutron" not in " ".join(cmdline(int(st["PPid"][0]))) and
                      "interop" not in " ".join(cmdline(int(st["PPid"][0]))),
                      "%s: it is detached from whoever spawned it" % label,
                      cmdline(int(st["PPid"][0])))
        self.verify_confinement(results, label, p, user)
        sock = inside(self.ns, "ss", "-Hltnp")
        mine = [x for x in sock.splitlines() if "pid=%d," % p in x]
        results.check(any(":%d " % port in x for x in mine),
                      "%s: it listens on port %d" % (label, port), sock)
        results.note("%s listens on" % label, ", ".join(x.split()[3] for x in mine))
        return p

    def verify_confinement(self, results, label, first, user):
        """No process of it can do what root can. Who has no child is who talks to the guests, and is the user's."""
        account = pwd.getpwnam(user)
        for p in [first] + children(first):
            status = status_of(p)
            what = "%s: %s" % (label, "the pid file's process" if p == first else "a child of it")
            results.equal(status["CapEff"][0], "0" * 16, what + " runs without effective capabilities")
            results.note(what, "uids %s, groups %s, seccomp %s" % (
                " ".join(status["Uid"]), status.get("Groups", []), status["Seccomp"][0]))
            if not children(p):
                results.equal(set(status["Uid"]), {str(account.pw_uid)}, what + " runs with all four uids = " + user)
                results.equal(set(status["Gid"]), {str(account.pw_gid)}, what + " and all four gids")


def status_of(pid):
    return {line.split(":")[0]: line.split(":", 1)[1].split() for line in read("/proc/%d/status" % pid).splitlines()}
