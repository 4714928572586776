"""The report: Markdown to read, JSON to calculate with, pictures to look at."""
import json
import os
import platform
import re
import statistics
import subprocess

import figures
import growth
import plots
import proc
import targets
from markdown import spread, table
from subjects import SUBJECTS

ORDER = [subject.name for subject in SUBJECTS if not subject.again]
ALL_ORDER = [subject.name for subject in SUBJECTS]
TITLES = {subject.name: subject.title for subject in SUBJECTS}
JSON_LINE = 180  # what is longer is broken into lines


def print_work(work):
    print("\n%s%s" % (work["title"], ", equal load %d/s" % work["rate"] if work["rate"] else ""))
    for name, subject in work["subjects"].items():
        if not subject["closed"]:
            continue
        line = "  %-22s %7.2f us/request  %7.0f/s" % (
            name, figures.median(subject, "closed", "cpu_us"), figures.median(subject, "closed", "per_second"))
        if subject["equal"]:
            line += "   p50 %6.0f p99 %6.0f p99.9 %6.0f us" % figures.answer_times(subject)
        line += "   idle %d kB, loaded %d kB" % (subject["idle"]["kb"], subject["loaded"]["kb"])
        print(line + ("   FAILED %d" % figures.failures(subject) if figures.failures(subject) else ""), flush=True)


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
    return found.group(0) if found else "?"


def circumstances(options, seconds):
    return {"kernel": platform.release().split("-")[0], "processors": proc.PROCESSORS, "rounds": options.rounds,
            "sample_seconds": options.seconds, "real_time": options.real_time, "took_seconds": round(seconds),
            "versions": {"metaward": version(os.path.join(options.prefix, "libexec/metaward/haproxy"), "-v"),
                         "HAProxy": version("haproxy", "-v"), "nginx": version("nginx", "-v"),
                         "Python": platform.python_version(), "gcc": version("cc", "-dumpfullversion")}}


def by_subject(works, cell, order=tuple(ORDER)):
    """A row a work, a column a subject."""
    names = [name for name in order if any(name in work["subjects"] for work in works)]
    rows = [[work["title"], *(cell(work, name) if name in work["subjects"] else "" for name in names)] for work in works]
    return table(["", *(TITLES[name] for name in names)], rows)


def median_and_spread(work, name, series, figure, digits):
    found = figures.values(work["subjects"][name], series, figure)
    return spread((statistics.median(found), min(found), max(found)), digits) if found else ""


def cpu_part(works):
    return """## CPU per request

User and system time of all processes of the subject, by the requests that were answered; closed loop, as much as goes.
Microseconds: median of rounds (least–most).

%s
The same as ratios, round by round. To HAProxy with 2 threads:

%s
To the floor:

%s
![CPU per request](cpu.svg)
""" % (by_subject(works, lambda work, name: median_and_spread(work, name, "closed", "cpu_us", 1)),
       by_subject(works, lambda work, name: spread(figures.ratio(work, "closed", "cpu_us", name, "haproxy-2"))),
       by_subject(works, lambda work, name: spread(figures.ratio(work, "closed", "cpu_us", name, "floor"))))


def throughput_part(works):
    return """## Requests per second, closed loop

Proxy, agent and guests share the processors, so this is no limit of any of them.

%s""" % by_subject(works, lambda work, name: "%.0f" % figures.median(work["subjects"][name], "closed", "per_second"))


def latency_part(works):
    def cell(work, name):
        subject = work["subjects"][name]
        if not subject["equal"]:
            return "too slow for it"
        return "%.0f / %.0f / %.0f" % figures.answer_times(subject)
    def answered(work, name):
        found = figures.median(work["subjects"][name], "equal", "per_second")
        return "%.0f" % found if found else ""
    equal = [dict(work, title="%s, %d/s" % (work["title"], work["rate"])) for work in works if work["rate"]]
    return """## Times of answers at equal load

Requests are due at random moments, the same number a second for all; the time counts from when a request was due. Microseconds,
p50 / p99 (medians of rounds) / p99.9 (of all rounds together).

%s
p99 as ratio to HAProxy with 2 threads, round by round; "the same HAProxy again" is a second one that is configured alike, so its
ratio says how much of the others' is chance:

%s
Requests per second that were answered meanwhile:

%s
![Times of answers](latency.svg)
""" % (by_subject(equal, cell),
       by_subject(equal, lambda work, name: spread(figures.ratio(work, "equal", "p99", name, "haproxy-2")), ALL_ORDER),
       by_subject(equal, answered))


def boot_part(works):
    boots = [work for name, work in works.items() if name.startswith("boot")]
    if not boots:
        return ""
    return """## Boot storm

Seconds until the last of 100 guests has its last answer, median of rounds (least–most).

%s
![Boot storm](boot.svg)
""" % by_subject(boots, lambda work, name: median_and_spread(work, name, "closed", "seconds", 2))


def failure_part(works):
    def cell(work, name):
        subject = work["subjects"][name]
        asked = sum(figures.values(subject, "closed", "requests")) + sum(figures.values(subject, "equal", "requests"))
        failed = figures.failures(subject)
        reason = next((s["first_failure"] for s in subject["closed"] + subject["equal"] if s["first_failure"]), "")
        return "%d of %d (%s)" % (failed, asked + failed, reason) if failed else "0"
    return """## Failures

Answers with another status than 200, and those that were cut or did not come.

%s""" % by_subject(works, cell)


def weight_part(works):
    chosen = [works[name] for name in ("keep", "keep-log", "held", "networks-100", "networks-1000") if name in works]

    def cell(state):
        return lambda work, name: "%(kb)d kB, %(descriptors)d" % work["subjects"][name][state]
    return """## Private memory and descriptors

Anonymous memory of all processes (what they share counted by its part), and their open descriptors. Idle, after one request:

%s
Under load (with the 1000 idle connections, where they are part of the work):

%s
![Private memory](memory.svg)
""" % (by_subject(chosen, cell("idle")), by_subject(chosen, cell("loaded")))


def start_part(starts, added):
    """`starts`: {subject's name: milliseconds}; `added`: those for each network that the host daemon was given, or None."""
    rows = [[TITLES[name], milliseconds(taken), "" if name.startswith("metaward-daemon") else "the same: one process more"]
            for name, taken in starts.items() if taken]
    for row in rows if added else ():
        if row[0] == TITLES["metaward-daemon-shared"]:
            row[2] = milliseconds(added, 2)
        elif row[0] == TITLES["nginx"]:
            row[2] = "a reload"
    return """## Start, and a network more

Milliseconds from exec to the first answer, and until there is one network more: median (least–most). The host daemon is asked for
it while it has a thousand.

%s""" % table(["", "start", "a network more"], rows)


def milliseconds(taken, digits=1):
    return spread((statistics.median(taken), min(taken), max(taken)), digits)


def others(results):
    """The share of the machine that others had: median, most"""
    found = [s["others"] for work in results["works"].values() for subject in work["subjects"].values()
             for s in subject["closed"] + subject["equal"]]
    found += [s["others"] for points in results.get("scaling", {}).values() for point in points for s in point["samples"]]
    return (statistics.median(found), max(found)) if found else (0, 0)


def targets_table(met):
    rows = [[t["text"], spread((t["value"], *t["spread"])) if t["spread"] else "%.2f" % t["value"],
             "" if t["most"] is None else "%.2f" % t["most"], "%.2f" % t["noise"] if t["noise"] else "", targets.verdict(t)] for t in met]
    return table(["", "measured", "at most", "noise", ""], rows)


def head(results, met):
    busy = others(results)
    whose = " they only got it when the bench, at real-time priority, left it to them;" if results["real_time"] else ""
    return """# Report of a run of `./dev bench`

Linux %s, %d processors; %s.

%d rounds, in each of which every subject was loaded in turn for %.2f s (the main works: half as long again), in all %d minutes.
Others had %.0f %% of the machine while a sample was taken (median; at most %.0f %%);%s the ratios are what counts, not
the times. What the subjects and works are: `bench/subjects.py`, `bench/works.py`; how to read this: `docs/performance.md`.

## The targets

A target is about the median of ratios between samples that were taken one after the other. Where times of answers are compared,
a second HAProxy that is configured alike takes part, and "noise" is how far above 1 the median of *its* ratios comes by chance, in
95 of 100 cases. A median above 1 and below that says nothing, and is neither called met nor missed.

%s
%s.
""" % (results["kernel"], results["processors"], ", ".join("%s %s" % pair for pair in results["versions"].items()),
       results["rounds"], results["sample_seconds"], round(results["took_seconds"] / 60), busy[0] * 100, busy[1] * 100, whose,
       targets_table(met), targets.summary(met))


def parts(results):
    works = results["works"]
    yield head(results, targets.judge(results))
    if works:
        yield from (part(list(works.values())) for part in (cpu_part, throughput_part, latency_part))
        yield boot_part(works)
        yield failure_part(list(works.values()))
        yield weight_part(works)
    if "start_ms" in results:
        yield start_part(results["start_ms"], results["host"]["added_ms"] if "host" in results else None)
    if "scaling" in results:
        yield growth.part(results["scaling"])


def shorter(value):
    """Floats with as many digits as mean anything."""
    if isinstance(value, float):
        return float("%.6g" % value)
    if isinstance(value, dict):
        return {name: shorter(one) for name, one in value.items()}
    return [shorter(one) for one in value] if isinstance(value, (list, tuple)) else value


def pretty(value, margin=""):
    """JSON, with what fits into a line, and lists of numbers, in one."""
    flat = json.dumps(value, ensure_ascii=False)
    inner = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)) or len(flat) <= JSON_LINE or not any(isinstance(one, (dict, list)) for one in inner):
        return flat
    names = ["%s: " % json.dumps(name) for name in value] if isinstance(value, dict) else [""] * len(value)
    lines = ",\n".join(margin + " " + name + pretty(one, margin + " ") for name, one in zip(names, inner))
    return "%s\n%s\n%s" % ("{["[isinstance(value, list)], lines, margin + "}]"[isinstance(value, list)])


def write(results, directory):
    """What was measured first: it is not lost if anything should go wrong with the rest."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "report.json"), "w", encoding="utf-8") as f:
        f.write(pretty(shorter(dict(results, targets=targets.judge(results)))) + "\n")
    with open(os.path.join(directory, "report.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(parts(results)))
    plots.draw(results, directory, ORDER)


def read(directory):
    """-> the results that were written there"""
    with open(os.path.join(directory, "report.json"), encoding="utf-8") as f:
        return json.load(f)
