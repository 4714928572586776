"""What metaward is to reach, and whether it does; and the bands that no change may leave."""
import collections
import json
import os

import figures

BANDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bands.json")
HAPROXY = "haproxy-2"

# Where others have more of the machine, the 99th percentile is theirs: the time until a processor is free.
BUSY = 0.25

# work, most of HAProxy's CPU per request, most of the floor's; as Neutron configures HAProxy
CPU = (("keep", 0.85, 1.20), ("close", 0.92, 1.20), ("keep-log", 0.85, None), ("close-log", 0.85, None), ("reuse", 0.55, None))


def target(text, value, most, others=0.0):
    """`met` is None where nobody can say: others, who had that share of the machine, decided it."""
    return {"text": text, "value": value, "most": most, "others": others, "met": None if others > BUSY else value <= most}


def beside(text, value):
    """What is no target, but is to be seen beside one."""
    return {"text": text, "value": value, "most": None, "others": 0.0, "met": None}


def verdict(judged):
    if judged["most"] is None:
        return "for comparison"
    return {True: "met", False: "NOT MET", None: "not judged: others had %.0f %%" % (judged["others"] * 100)}[judged["met"]]


def cpu_targets(works):
    for name, of_haproxy, of_floor in CPU:
        for other, most in ((HAPROXY, of_haproxy), ("floor", of_floor)):
            found = figures.ratio(works[name], "closed", "cpu_us", "metaward", other) if name in works and most else None
            if found:
                whose = "HAProxy's" if other == HAPROXY else "the floor's"
                yield target("%s: CPU per request, of %s" % (works[name]["title"], whose), found[0], most)
    for other, whose in (("haproxy-reuse", "HAProxy's that reuses too"), ("floor", "the floor's")):
        found = figures.ratio(works["reuse"], "closed", "cpu_us", "metaward", other) if "reuse" in works else None
        if found:
            yield beside("%s: CPU per request, of %s" % (works["reuse"]["title"], whose), found[0])


def latency_targets(works, undisturbed):
    for work in works.values():
        found = figures.ratio(work, "equal", "p99", "metaward", HAPROXY)
        if found:
            yield target("%s: p99 at %d requests/s, of HAProxy's" % (work["title"], work["rate"]), found[0], 1.0,
                         0.0 if undisturbed else figures.others(work, "equal", "metaward", HAPROXY))


def boot_targets(works):
    for work in (works[name] for name in ("boot", "boot-slow") if name in works):
        found = figures.ratio(work, "closed", "seconds", "metaward", HAPROXY)
        yield target("%s: requests that failed" % work["title"], figures.failures(work["subjects"]["metaward"]), 0)
        if found:
            yield target("%s: total time, of HAProxy's" % work["title"], found[0], 1.0)


def judge(results, undisturbed):
    """`undisturbed`: others did not get a processor that the bench wanted."""
    works = {name: work for name, work in results["works"].items() if "metaward" in work["subjects"]}
    return [*cpu_targets(works), *latency_targets(works, undisturbed), *boot_targets(works)]


def lines(judged):
    return ["%-95s %8.2f %-18s %s" % (t["text"], t["value"], limit(t), verdict(t)) for t in judged]


def limit(judged):
    return "(at most %.2f)" % judged["most"] if judged["most"] is not None else ""


Left = collections.namedtuple("Left", "work text")


def check_bands(results):
    """-> what has left its band. A band is about the median of ratios, never about a time."""
    with open(BANDS, encoding="utf-8") as f:
        bands = json.load(f)
    return [*ratios_left(results["works"], bands["ratios"]), *plainly_wrong(results["works"], bands["idle_kb"])]


def ratios_left(works, bands):
    for band in (band for band in bands if band["work"] in works):
        found = figures.ratio(works[band["work"]], "closed", band["figure"], "metaward", band["to"])
        most = band["ratio"] * (1 + band["band"])
        if found and found[0] > most:
            yield Left(band["work"], "%s of metaward is %.2f of that of %s, the band ends at %.2f" % (
                band["figure"], found[0], band["to"], most))


def plainly_wrong(works, idle):
    for name, work in works.items():
        subject = work["subjects"]["metaward"]
        if subject["idle"]["kb"] > idle["most"]:
            yield Left(name, "metaward has %d kB of private memory, idle; %d are allowed" % (subject["idle"]["kb"], idle["most"]))
        if figures.failures(subject):
            yield Left(name, "%d requests through metaward failed" % figures.failures(subject))
