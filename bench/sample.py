"""One sample: so much load on one subject, and what it cost."""
import json
import os
import subprocess
import time

import proc
from figures import percentile

DISTURBED = 0.10  # of all processors in others' hands: the sample is taken again
RETAKES = 2  # of one sample


class Patience:
    """Seconds that may be spent on taking samples again, in all."""
    left = 0.0


class Load:
    """The program `load` with the arguments that a work gives it."""

    def __init__(self, work, subject, binaries, here):
        self.command = [os.path.join(binaries, "load"), subject.target(), "--networks", str(work.networks),
                        "--guests", str(work.guests), "--connections", str(work.guests), "--connection", work.connection]
        self.hold = self.command + ["--guests", "100", "--connections", str(work.held), "--hold"]
        if work.path:
            self.command += ["--path", work.path]
        if work.boot:
            self.command += ["--paths", os.path.join(here, "boot.paths")]

    def run(self, *more, meanwhile=None, warmed=None):
        """-> what it printed. `meanwhile` is called while it runs, `warmed` when every connection has had an answer: only what
        comes then is counted."""
        command = [*self.command, *map(str, more), *(["--warm"] if warmed else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            if warmed and process.stdout.readline() == "warm\n":
                warmed()
                process.stdin.write("\n")
                process.stdin.flush()
            if meanwhile:
                meanwhile()
            printed = process.stdout.read()
        if process.returncode != 0:
            raise RuntimeError("%s ended with status %d" % (" ".join(process.args), process.returncode))
        return json.loads(printed)


class Held:
    """Connections that stay idle for as long as the block runs."""

    def __init__(self, work, load):
        self.command = load.hold if work.held else None

    def __enter__(self):
        if self.command:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.told = json.loads(self.process.stdout.readline())
            if self.told["failures"] or self.process.stdout.readline() != "holding\n":
                raise RuntimeError("the idle connections could not be made: %s" % self.told["first_failure"])
        return self

    def __exit__(self, *_):
        if self.command:
            self.process.stdin.close()
            self.process.wait()


def undisturbed(take):
    """Take a sample again while others keep the machine busy; the least disturbed one counts."""
    best = None
    for attempt in range(RETAKES + 1):
        machine, began = proc.Machine(), time.monotonic()
        sample = take()
        sample["others"] = machine.others()
        if best is None or sample["others"] < best["others"]:
            best = sample
        if attempt > 0:
            Patience.left -= time.monotonic() - began
        if sample["others"] < DISTURBED or Patience.left <= 0:
            break
    return best


def costs(subject, load, *arguments, warm=False):
    """Run the load once, and see what it cost the subject; with `warm`, what it cost once the connections were there."""
    before = proc.cpu_seconds(subject.pids())

    def warmed():
        nonlocal before
        before = proc.cpu_seconds(subject.pids())
    told = load.run(*arguments, warmed=warmed if warm else None)
    cpu = proc.cpu_seconds(subject.pids()) - before
    return {"requests": told["requests"], "failures": told["failures"], "first_failure": told["first_failure"],
            "seconds": told["seconds"], "cpu_us": cpu / max(1, told["requests"]) * 1e6,
            "per_second": told["requests"] / told["seconds"], "p50": percentile(told["times"], 0.5),
            "p99": percentile(told["times"], 0.99), "times": told["times"]}


def closed(work, subject, load, seconds):
    """As much as goes, or the whole boot: what a request costs."""
    return undisturbed(lambda: costs(subject, load, *(() if work.boot else ("--seconds", seconds))))


def equal(subject, load, seconds, rate):
    """So many requests a second, whoever it is: how long answers take."""
    return undisturbed(lambda: costs(subject, load, "--seconds", seconds, "--rate", rate))


def warm(subject, load, seconds):
    """As much as goes on connections that are there already."""
    return undisturbed(lambda: costs(subject, load, "--seconds", seconds, warm=True))


def weight(subject):
    return {"kb": proc.private_kb(subject.pids()), "descriptors": proc.descriptors(subject.pids())}


def weight_under_load(subject, load, seconds):
    """-> memory and descriptors in the midst of as much load as goes."""
    seen = {}

    def look():
        time.sleep(seconds / 2)
        seen.update(weight(subject))
    told = load.run(*([] if "--paths" in load.command else ["--seconds", seconds]), meanwhile=look)
    return seen, told
