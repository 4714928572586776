"""Commands, files and processes. A process is only ever ended by a pid that was recorded together with its start time,
so a pid that is used again is never hit, or when its command line carries one of the run's own names."""
import json
import os
import signal
import subprocess
import time


def sh(*argv, **kw):
    """Run a command, return its stdout; raise with its stderr on failure."""
    check = kw.pop("check", True)
    p = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, **kw)
    if check and p.returncode:
        raise RuntimeError("%s -> %d: %s" % (" ".join(map(str, argv)), p.returncode, p.stderr.strip()))
    return p.stdout


def succeeds(*argv):
    return subprocess.run([str(a) for a in argv], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def wait_for(fn, timeout=30, step=0.05):
    """-> (value, seconds); value is falsy when time ran out."""
    t0 = time.monotonic()
    while True:
        try:
            v = fn()
        except (OSError, RuntimeError, ValueError):
            v = None
        if v or time.monotonic() - t0 > timeout:
            return v, time.monotonic() - t0
        time.sleep(step)


def read(path, default=None):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return default


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def starttime(pid):
    s = read("/proc/%d/stat" % pid)
    return s.rsplit(")", 1)[1].split()[19] if s else None


def state_of(pid):
    s = read("/proc/%d/stat" % pid)
    return s.rsplit(")", 1)[1].split()[0] if s else None


def alive(pid):
    return state_of(pid) not in (None, "Z", "X")


def cmdline(pid):
    s = read("/proc/%d/cmdline" % pid)
    return s.split("\0")[:-1] if s else []


def children(pid):
    """All descendants of pid, by ppid."""
    kids = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            s = read("/proc/%s/stat" % d)
            if s:
                kids.setdefault(int(s.rsplit(")", 1)[1].split()[1]), []).append(int(d))
    out, todo = [], [pid]
    while todo:
        for c in kids.get(todo.pop(), []):
            out.append(c)
            todo.append(c)
    return out


def with_text(text):
    """pids whose command line contains text (read-only look)."""
    out = []
    for d in os.listdir("/proc"):
        if d.isdigit() and int(d) != os.getpid():
            if any(text in a for a in cmdline(int(d))) and alive(int(d)):
                out.append(int(d))
    return sorted(out)


class Started:
    """Processes started by a run; recorded on disk so that `down` works in another invocation."""

    def __init__(self, d):
        self.dir = d
        os.makedirs(d, exist_ok=True)
        self.popen = {}

    def start(self, name, argv, log, env=None, cwd="/"):
        if self.get(name):
            self.stop(name, family=True)
        os.makedirs(os.path.dirname(log), exist_ok=True)
        e = dict(os.environ)
        e.update(env or {})
        with open(log, "ab") as out:
            p = subprocess.Popen([str(a) for a in argv], stdout=out,
                                 stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, env=e, cwd=cwd,
                                 start_new_session=True)
        self.popen[name] = p
        self.record(name, p.pid)
        return p.pid

    def record(self, name, pid):
        write(os.path.join(self.dir, name),
              json.dumps({"pid": pid, "start": starttime(pid),
                          "cmd": cmdline(pid)}))

    def get(self, name):
        t = read(os.path.join(self.dir, name))
        if not t:
            return None
        d = json.loads(t)
        if d["start"] and starttime(d["pid"]) == d["start"]:
            return d["pid"]
        return None

    def running(self, name):
        p = self.popen.get(name)
        return p is not None and p.poll() is None

    def stop(self, name, sig=signal.SIGTERM, timeout=15, family=False):
        """End a recorded process (and, with family, what descends from it)."""
        pid = self.get(name)
        left = []
        if pid:
            fam = [(c, starttime(c)) for c in children(pid)] if family else []
            os.kill(pid, sig)
            self.reap(name, pid, timeout)
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
                self.reap(name, pid, 5)
            if fam:
                wait_for(lambda: not any(starttime(c) == s and alive(c) for c, s in fam), 5)
                left = [c for c, s in fam if starttime(c) == s and alive(c)]
        try:
            os.unlink(os.path.join(self.dir, name))
        except OSError:
            pass
        return left

    def reap(self, name, pid, timeout):
        def gone():
            p = self.popen.get(name)
            if p is not None:
                p.poll()
            return not alive(pid)
        wait_for(gone, timeout)

    def stop_all(self, order=()):
        names = [n for n in order if os.path.exists(os.path.join(self.dir, n))]
        names += [n for n in sorted(os.listdir(self.dir)) if n not in names]
        for n in names:
            self.stop(n, family=True)


def signal_ours(pid, must_contain, sig=signal.SIGKILL):
    """Signal a process that Neutron started for this run: only when its command line still carries its uuid."""
    if any(must_contain in a for a in cmdline(pid)):
        os.kill(pid, sig)
        return True
    return False


def end_strays(*paths):
    """What an interrupted run may have left: only processes whose command line carries one of its files."""
    for path in paths:
        for pid in with_text(path):
            signal_ours(pid, path, signal.SIGTERM)
        wait_for(lambda: not with_text(path), 4)
        for pid in with_text(path):
            signal_ours(pid, path)
