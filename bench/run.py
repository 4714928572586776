"""The bench: metaward beside what does the same work, one request at a time or a thousand. usage: run.py --prefix DIR [options]

Subjects (subjects.py) run side by side, one of them loaded at a time, in turn, several rounds; a work (works.py) is the load.
What is compared are medians of rounds, and ratios within a round. Writes the report (report.py), prints whether the targets
(targets.py) are met, and with --quick fails where a ratio has left its band (bands.json). Root; haproxy, nginx, gnuplot.
"""
import argparse
import contextlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import apart  # noqa: E402
import report  # noqa: E402
import sample  # noqa: E402
import targets  # noqa: E402
from subjects import HERE, SUBJECTS, Wanted  # noqa: E402
from works import WORKS  # noqa: E402

WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wstrict-prototypes", "-Werror")
PROGRAMS = ("agent", "floor", "load", "sink")
QUICK_SUBJECTS = ("metaward", "haproxy-2", "floor")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", required=True, help="where metaward is installed")
    parser.add_argument("--quick", action="store_true", help="a few works and subjects, and fail where a ratio leaves its band")
    parser.add_argument("--rounds", type=int, help="of each work: 11, with --quick 9")
    parser.add_argument("--seconds", type=float, default=0.35, help="of a sample; the main works' are half as long again")
    parser.add_argument("--works", nargs="+", choices=[work.name for work in WORKS], help="only these")
    parser.add_argument("--beside", help="where another build of metaward is installed, to compare the two")
    parser.add_argument("--subjects", nargs="+", choices=[subject.name for subject in SUBJECTS], help="only these")
    parser.add_argument("--patience", type=float,
                        help="seconds to spend, in all, on samples that others disturbed: 60, with --quick 15")
    parser.add_argument("--real-time", action="store_true",
                        help="take the processors from whoever else uses the machine, so that times of answers can be judged")
    parser.add_argument("--report", help="directory to write the report to; without it, none is written")
    options = parser.parse_args()
    options.rounds = options.rounds or (9 if options.quick else 11)
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
        figures = {subject.name: {"title": subject.title, "idle": sample.weight(subject), "closed": [], "equal": []}
                   for subject in running}
        loads = {subject.name: sample.Load(work, subject, self.binaries, HERE) for subject in running}
        seconds = self.options.seconds * (1.5 if work.main else 1)
        rate = self.warm_up(work, running, loads, figures)
        for turn in range(self.options.rounds):
            for subject in running[turn % len(running):] + running[:turn % len(running)]:
                mine, load = figures[subject.name], loads[subject.name]
                with sample.Held(work, load):
                    mine["closed"].append(sample.closed(work, subject, load, seconds))
                    if rate and subject.bears_equal_load:
                        mine["equal"].append(sample.equal(subject, load, seconds, rate))
        return {"title": work.title, "rate": rate, "subjects": figures}

    @staticmethod
    def warm_up(work, running, loads, figures):
        """The first requests are not counted. -> the rate of equal load"""
        rate = work.rate
        for subject in running:
            with sample.Held(work, loads[subject.name]):
                figures[subject.name]["loaded"], told = sample.weight_under_load(subject, loads[subject.name], 0.4)
            if subject.name == "haproxy-2" and not rate and not work.boot:
                rate = int(told["requests"] / told["seconds"] / 3 / 100 + 1) * 100
        return rate

    def starts(self, times):
        """-> {subject's name: milliseconds from exec to the first answer}, in turn."""
        socket = os.path.join(self.directory, "agent.sock")
        started = [kind for kind in SUBJECTS if kind.name not in ("beside", "haproxy-reuse")]
        taken = {kind.name: [] for kind in started}
        with helper(os.path.join(self.binaries, "agent"), socket):
            os.chmod(socket, 0o666)
            for _ in range(times):
                for number, kind in enumerate(started, 1):
                    with kind(Wanted(socket), number, self.directory) as subject:
                        taken[kind.name].append(subject.start_ms)
        return taken


def chosen(options):
    if options.works:
        return [work for work in WORKS if work.name in options.works]
    return [work for work in WORKS if work.quick or not options.quick]


def run(options, directory):
    bench = Bench(options, directory)
    sample.Patience.left = options.patience
    began = time.monotonic()
    results = {"works": {}}
    for work in chosen(options):
        results["works"][work.name] = bench.measure(work)
        report.print_work(results["works"][work.name])
    if not options.quick and not options.works:
        results["start_ms"] = bench.starts(9)
    results.update(report.circumstances(options, time.monotonic() - began))
    met = targets.judge(results, undisturbed=options.real_time)
    if options.report:
        report.write(results, met, options.report)
    print()
    for line in targets.lines(met):
        print(line)
    return check_bands(bench, results) if options.quick else []


def check_bands(bench, results):
    """-> what has left its band, also when it was measured once more: the machine may have been busy."""
    left = targets.check_bands(results)
    for name in {found.work for found in left}:
        print("\nonce more, a ratio has left its band:")
        results["works"][name] = bench.measure(next(work for work in WORKS if work.name == name))
        report.print_work(results["works"][name])
    return targets.check_bands(results) if left else []


def main():
    options = arguments()
    options.prefix = os.path.abspath(options.prefix)
    if options.quick and not options.subjects:
        options.subjects = QUICK_SUBJECTS
    if options.real_time:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    directory = apart.enter()
    os.environ["METAWARD_PREFIX"] = options.prefix
    os.environ["METAWARD_BESIDE"] = os.path.abspath(options.beside or options.prefix)
    left = run(options, directory)
    for found in left:
        print("%s: %s" % (found.work, found.text))
    sys.exit("bench: a band was left" if left else 0)


if __name__ == "__main__":
    main()
