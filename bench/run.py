"""The bench: metaward beside what does the same work, one request at a time or a thousand. usage: run.py --prefix DIR [options]

Subjects (subjects.py) run side by side, one of them loaded at a time, in turn, several rounds; a work (works.py) is the load.
What is compared are medians of rounds, and ratios within a round. Then the host daemon with a thousand networks (crowd.py), and
what grows with what (scaling.py). Writes the report (report.py), prints whether the targets (targets.py) are met, and with
--quick fails where a ratio has left its band (bands.json). Root; haproxy, nginx, gnuplot.
"""
import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import apart  # noqa: E402
import figures  # noqa: E402
import report  # noqa: E402
import sample  # noqa: E402
import scaling  # noqa: E402
import shown  # noqa: E402
import targets  # noqa: E402
from subjects import HERE, SUBJECTS, Wanted  # noqa: E402
from works import WORKS  # noqa: E402

WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wstrict-prototypes", "-Werror")
PROGRAMS = ("agent", "floor", "load", "sink")
HOST, SCALING = "host", "scaling"
STARTS = 9
QUICK_SUBJECTS = ("metaward", "haproxy-2", "floor")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", help="where metaward is installed")
    parser.add_argument("--quick", action="store_true", help="a few works and subjects, and fail where a ratio leaves its band")
    parser.add_argument("--rounds", type=int, help="of each work: 9")
    parser.add_argument("--seconds", type=float, default=0.35, help="of a sample; the main works' are half as long again")
    parser.add_argument("--works", nargs="+", choices=[work.name for work in WORKS] + [HOST, SCALING],
                        help="only these; host: what the host daemon is to reach with a thousand networks; scaling: what grows "
                             "with networks, connections and workers")
    parser.add_argument("--beside", help="where another build of metaward is installed, to compare the two")
    parser.add_argument("--subjects", nargs="+", choices=[subject.name for subject in SUBJECTS], help="only these")
    parser.add_argument("--patience", type=float,
                        help="seconds to spend, in all, on samples that others disturbed: 60, with --quick 15")
    parser.add_argument("--real-time", action="store_true",
                        help="take the processors from whoever else uses the machine, so that times of answers can be judged")
    parser.add_argument("--report", help="directory to write the report to; without it, none is written")
    parser.add_argument("--fill", metavar="TOP", help="put the numbers into README and docs of this tree, too")
    parser.add_argument("--rewrite", action="store_true", help="measure nothing, write once more what is in --report's report.json")
    options = parser.parse_args()
    if not options.prefix and not options.rewrite:
        parser.error("--prefix is needed")
    options.rounds = options.rounds or 9
    options.patience = options.patience if options.patience is not None else (15 if options.quick else 60)
    return options


def compile_programs(directory):
    binaries = os.path.join(directory, "bin")
    os.mkdir(binaries)
    for name in PROGRAMS:
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", *WARNINGS, "-o", os.path.join(binaries, name), os.path.join(HERE, name + ".c"), "-lm"],
                       check=True)
    return binaries


@contextlib.contextmanager
def helper(*command):
    """One of our programs, once it says that it is ready."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        try:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("%s did not start" % " ".join(command))
            yield process
        finally:
            process.terminate()


def in_turn(subjects, rounds):
    """Each once a round; who is first changes."""
    for turn in range(rounds):
        first = turn % len(subjects)
        yield from subjects[first:] + subjects[:first]


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.binaries = compile_programs(directory)

    def measure(self, work):
        """-> {subject's name: its figures}"""
        socket = os.path.join(self.directory, "agent.sock")
        wanted = Wanted(socket, work.networks, work.log, work.limits, work.reuse, work.connection != "keep")
        with contextlib.ExitStack() as stack:
            stack.enter_context(helper(os.path.join(self.binaries, "agent"), socket, *work.agent))
            os.chmod(socket, 0o666)
            if work.log:
                stack.enter_context(helper(os.path.join(self.binaries, "sink"), "/dev/log"))
                os.chmod("/dev/log", 0o666)
            running = [stack.enter_context(kind(wanted, number, self.directory)) for number, kind in enumerate(SUBJECTS, 1)
                       if self.takes_part(kind.name, work)]
            return self.rounds(work, running)

    def takes_part(self, name, work):
        if name == "beside":
            return self.options.beside is not None
        return name in work.subjects and name in (self.options.subjects or work.subjects)

    def rounds(self, work, running):
        found = {subject.name: {"title": subject.title, "idle": sample.weight(subject), "closed": [], "equal": []}
                 for subject in running}
        loads = {subject.name: sample.Load(work, subject, self.binaries, HERE) for subject in running}
        seconds = self.options.seconds * (1.5 if work.main else 1)
        rate = self.warm_up(work, running, loads, found)

        def take(subject, closed):
            mine, load = found[subject.name], loads[subject.name]
            with sample.Held(work, load):
                if closed and (work.boot or not subject.again):
                    mine["closed"].append(sample.closed(work, subject, load, seconds))
                if rate and subject.bears_equal_load:
                    mine["equal"].append(sample.equal(subject, load, seconds, rate))
        judged = [subject for subject in running if subject.name in targets.JUDGED]
        for subject in in_turn(running, self.options.rounds):
            take(subject, closed=True)
        if rate and len(judged) == len(targets.JUDGED):
            for subject in in_turn(judged, self.options.rounds):
                take(subject, closed=False)
        for mine in found.values():
            mine["times"] = list(zip(*figures.merge(s.pop("times") for s in mine["equal"])))
            for one in mine["closed"]:
                del one["times"]
        return {"title": work.title, "rate": rate, "subjects": found}

    @staticmethod
    def warm_up(work, running, loads, found):
        """The first requests are not counted. -> the rate of equal load"""
        rate = work.rate
        for subject in running:
            with sample.Held(work, loads[subject.name]):
                found[subject.name]["loaded"], told = sample.weight_under_load(subject, loads[subject.name], 0.4)
            if subject.name == "haproxy-2" and not rate and not work.boot:
                rate = int(told["requests"] / told["seconds"] / 3 / 100 + 1) * 100
        return rate

    def host(self):
        """-> the host daemon's targets, and how long it took to add networks"""
        import crowd  # it wants to know where metaward is installed
        socket = os.path.join(self.directory, "agent.sock")
        with helper(os.path.join(self.binaries, "agent"), socket):
            os.chmod(socket, 0o666)
            met, added = crowd.measure(socket, self.directory, self.binaries, self.options.quick)
        return {"targets": met, "added_ms": added}

    def scaling(self):
        socket = os.path.join(self.directory, "agent.sock")
        with helper(os.path.join(self.binaries, "agent"), socket):
            os.chmod(socket, 0o666)
            return scaling.measure(socket, self.directory, self.binaries, self.options)

    def starts(self):
        """-> {subject's name: milliseconds from exec to the first answer}, in turn."""
        socket = os.path.join(self.directory, "agent.sock")
        started = [kind for kind in SUBJECTS if not kind.again and kind.name not in ("beside", "haproxy-reuse")]
        taken = {kind.name: [] for kind in started}
        with helper(os.path.join(self.binaries, "agent"), socket):
            os.chmod(socket, 0o666)
            for _ in range(STARTS):
                for number, kind in enumerate(started, 1):
                    with kind(Wanted(socket), number, self.directory) as subject:
                        taken[kind.name].append(subject.start_ms)
        return taken


def chosen(bench, options):
    """-> (where the result belongs, its name, how it is come by), of everything that is to be measured."""
    names = options.works or [work.name for work in WORKS if work.quick or not options.quick] + [HOST]
    whole = not options.works and not options.quick
    for work in (work for work in WORKS if work.name in names):
        yield "works", work.name, lambda work=work: bench.measure(work)
    if HOST in names:
        yield None, HOST, bench.host
    if SCALING in names or whole:
        yield None, SCALING, bench.scaling
    if whole:
        yield None, "start_ms", bench.starts


def run(options, directory):
    """-> what is wrong"""
    bench = Bench(options, directory)
    sample.Patience.left = options.patience
    began, results, wrong = time.monotonic(), {"works": {}}, []
    parts = list(chosen(bench, options))
    for number, (place, name, measure) in enumerate(parts, 1):
        print("\n[%d of %d: %s, after %d s]" % (number, len(parts), name, time.monotonic() - began), flush=True)
        try:
            (results[place] if place else results)[name] = measure()
        except Exception:  # whatever it is, the other parts are worth having all the same
            traceback.print_exc()
            wrong.append("%s could not be measured" % name)
        if name in results["works"]:
            report.print_work(results["works"][name])
    results.update(report.circumstances(options, time.monotonic() - began))
    if options.report:
        report.write(results, options.report)
    if options.fill and not wrong:
        shown.fill(results, options.fill)
    print()
    for line in targets.lines(targets.judge(results)):
        print(line)
    return wrong + (check_bands(bench, results) if options.quick else [])


def check_bands(bench, results):
    """-> what has left its band, also when it was measured once more: the machine may have been busy."""
    left = targets.check_bands(results)
    for name in {found.work for found in left}:
        print("\nonce more, a ratio has left its band:")
        results["works"][name] = bench.measure(next(work for work in WORKS if work.name == name))
        report.print_work(results["works"][name])
    return ["%s: %s" % found for found in targets.check_bands(results)] if left else []


def main():
    options = arguments()
    if options.rewrite:
        results = report.read(options.report)
        report.write(results, options.report)
        if options.fill:
            shown.fill(results, options.fill)
        return
    options.prefix = os.path.abspath(options.prefix)
    if options.quick and not options.subjects:
        options.subjects = QUICK_SUBJECTS
    if options.real_time:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    directory = apart.enter()
    os.environ["METAWARD_PREFIX"] = options.prefix
    os.environ["METAWARD_BESIDE"] = os.path.abspath(options.beside or options.prefix)
    wrong = run(options, directory)
    for line in wrong:
        print("bench: " + line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
