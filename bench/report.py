"""The report: Markdown to read, JSON to calculate with, pictures to look at."""
import json
import os
import platform
import re
import statistics
import subprocess

import figures
import plots
import proc
import targets
from subjects import SUBJECTS

ORDER = [subject.name for subject in SUBJECTS]
TITLES = {subject.name: subject.title for subject in SUBJECTS}


def print_work(work):
    print("\n%s%s" % (work["title"], ", equal load %d/s" % work["rate"] if work["rate"] else ""))
    for name, subject in work["subjects"].items():
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


def table(head, rows):
    return "\n".join(["| %s |" % " | ".join(row) for row in [head, ["---"] * len(head), *rows]]) + "\n"


def by_subject(works, cell):
    """A row a work, a column a subject."""
    names = [name for name in ORDER if any(name in work["subjects"] for work in works)]
    rows = [[work["title"], *(cell(work, name) if name in work["subjects"] else "" for name in names)] for work in works]
    return table(["", *(TITLES[name] for name in names)], rows)


def spread(found, digits=2):
    return "%.*f (%.*f–%.*f)" % (digits, found[0], digits, found[1], digits, found[2]) if found else ""


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
    equal = [dict(work, title="%s, %d/s" % (work["title"], work["rate"])) for work in works if work["rate"]]
    return """## Times of answers at equal load

Requests are due at random moments, the same number a second for all; the time counts from when a request was due. Microseconds,
p50 / p99 (medians of rounds) / p99.9 (of all rounds together).

%s
p99 as ratio to HAProxy with 2 threads, round by round:

%s
![Times of answers](latency.svg)
""" % (by_subject(equal, cell), by_subject(equal, lambda work, name: spread(figures.ratio(work, "equal", "p99", name, "haproxy-2"))))


def boot_part(works):
    boots = [work for name, work in works.items() if name.startswith("boot")]
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


def weight_part(works, starts):
    chosen = [works[name] for name in ("keep", "keep-log", "held", "networks-100") if name in works]

    def cell(state):
        return lambda work, name: "%(kb)d kB, %(descriptors)d" % work["subjects"][name][state]
    text = """## Private memory and descriptors

Anonymous memory of all processes (what they share counted by its part), and their open descriptors. Idle, after one request:

%s
Under load (with the 1000 idle connections, where they are part of the work):

%s
![Private memory](memory.svg)
""" % (by_subject(chosen, cell("idle")), by_subject(chosen, cell("loaded")))
    if starts:
        rows = [[TITLES[name], spread((statistics.median(taken), min(taken), max(taken)), 1)] for name, taken in starts.items() if taken]
        text += "\n## Start\n\nMilliseconds from exec to the first answer.\n\n" + table(["", "median (least–most)"], rows)
    return text


def others(works):
    found = [s["others"] for work in works for subject in work["subjects"].values() for s in subject["closed"] + subject["equal"]]
    return statistics.median(found), max(found)


def markdown(results, met):
    works = results["works"]
    busy = others(works.values())
    whose = " they only got it when the bench, at real-time priority, left it to them;" if results["real_time"] else ""
    head = """# Report of a run of `./dev bench`

Linux %s, %d processors; %s.

%d rounds, in each of which every subject was loaded in turn for %.2f s (the main works: half as long again), in all %d minutes.
Others had %.0f %% of the machine while a sample was taken (median; at most %.0f %%);%s the ratios are what counts, not
the times. What the subjects and works are: `bench/subjects.py`, `bench/works.py`; how to read this: `docs/performance.md`.

## The targets

%s
""" % (results["kernel"], results["processors"], ", ".join("%s %s" % pair for pair in results["versions"].items()),
       results["rounds"], results["sample_seconds"], round(results["took_seconds"] / 60), busy[0] * 100, busy[1] * 100, whose,
       table(["", "measured", "at most", ""], [[t["text"], "%.2f" % t["value"], "" if t["most"] is None else "%.2f" % t["most"],
                                                targets.verdict(t)] for t in met]))
    all_works = list(works.values())
    return "\n".join([head, cpu_part(all_works), throughput_part(all_works), latency_part(all_works), boot_part(works),
                      failure_part(all_works), weight_part(works, results.get("start_ms"))])


def write(results, met, directory):
    os.makedirs(directory, exist_ok=True)
    plots.draw(results, directory, ORDER)
    with open(os.path.join(directory, "report.md"), "w", encoding="utf-8") as f:
        f.write(markdown(results, met))
    for work in results["works"].values():
        for subject in work["subjects"].values():
            for sample in subject["closed"] + subject["equal"]:
                del sample["times"]
    with open(os.path.join(directory, "report.json"), "w", encoding="utf-8") as f:
        json.dump(dict(results, targets=met), f, indent=1)
        f.write("\n")
