"""What the kernel tells of processes: time, memory, descriptors."""
import os
import re

TICKS = os.sysconf("SC_CLK_TCK")
PROCESSORS = os.cpu_count() or 1


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def children(process, task):
    try:
        return [int(child) for child in read("/proc/%d/task/%s/children" % (process, task)).split()]
    except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
        return []


def descendants(pids):
    """The processes and everything below them."""
    found = list(pids)
    for process in found:
        for task in os.listdir("/proc/%d/task" % process):
            found += children(process, task)
    return found


def times(pid):
    """-> (user and system time of the process, that of its children that have ended), in ticks; all threads, also ended ones."""
    fields = read("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


def scheduled_seconds(pid):
    """User and system time of the threads that there are, to the nanosecond."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            total += int(read("/proc/%d/task/%s/schedstat" % (pid, task)).split()[0])
        except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended, or a kernel that does not tell
            pass
    return total / 1e9


def cpu_seconds(pids):
    """User and system time. `stat` knows of ended threads, `schedstat` of less than a tick: the greater one is right."""
    return sum(max(times(pid)[0] / TICKS, scheduled_seconds(pid)) for pid in descendants(pids))


def share_priority(pids):
    """Where the kernel weighs sessions (autogroup), all subjects run in sessions of their own; give them the bench's weight."""
    try:
        weight = read("/proc/self/autogroup").rpartition(" ")[2]
    except FileNotFoundError:  # a kernel without it
        return
    for pid in descendants(pids):
        with open("/proc/%d/autogroup" % pid, "w", encoding="utf-8") as f:
            f.write(weight)


def private_kb(pids):
    """Private memory: anonymous pages, those that processes share counted by their part."""
    return sum(int(re.search(r"Pss_Anon: +(\d+)", read("/proc/%d/smaps_rollup" % pid)).group(1)) for pid in descendants(pids))


def descriptors(pids):
    return sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in descendants(pids))


class Machine:
    """How busy others keep the machine while the bench measures. Our own processes are all that /proc shows: the bench runs in
    a PID namespace of its own."""

    def __init__(self):
        self.busy, self.total = self.machine()
        self.ours = self.own()

    @staticmethod
    def machine():
        fields = [int(field) for field in read("/proc/stat").split("\n", 1)[0].split()[1:9]]
        idle = fields[3] + fields[4]
        return sum(fields) - idle, sum(fields)

    @staticmethod
    def own():
        ticks = 0
        for name in os.listdir("/proc"):
            try:
                own, ended = times(int(name)) if name.isdigit() else (0, 0)
            except (FileNotFoundError, ProcessLookupError):
                continue
            ticks += own + (ended if name == "1" else 0)
        return ticks

    def others(self):
        """-> the share of all processors that others (and whoever takes the processors from this machine) have had so far."""
        busy, total = self.machine()
        elapsed = max(1, total - self.total)
        return max(0.0, (busy - self.busy - (self.own() - self.ours)) / elapsed)
