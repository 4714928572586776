"""What metaward is to reach, and whether it does; and the bands that no change may leave."""
import collections
import json
import os

import figures

BANDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bands.json")
HAPROXY, AGAIN = "haproxy-2", "haproxy-again"
JUDGED = ("metaward", HAPROXY, AGAIN)  # by times of answers, of which there are more samples, therefore

# Where others have more of the machine, the 99th percentile is theirs: the time until a processor is free.
BUSY = 0.25

# work, most of HAProxy's CPU per request, most of the floor's; as Neutron configures HAProxy
CPU = (("keep", 0.85, 1.20), ("close", 0.92, 1.20), ("keep-log", 0.85, None), ("close-log", 0.85, None), ("reuse", 0.55, None))


def target(text, value, most, others=0.0, spread=None, noise=None):
    """`met` is None, and `why` says so, where nobody can say.

    others: the share of the machine that others had, where they decide it. spread: (least, most) of the rounds. noise: what the
    same figure comes to by chance where a subject is compared to itself; up to this times `most`, it says nothing.
    """
    met, why = value <= most, ""
    if others > BUSY:
        met, why = None, "not judged: others had %.0f %%" % (others * 100)
    elif not met and noise and value <= most * noise:
        met, why = None, "within noise"
    return {"text": text, "value": value, "most": most, "spread": spread, "noise": noise, "met": met, "why": why}


def beside(text, value, spread=None):
    """What is no target, but is to be seen beside one."""
    return {"text": text, "value": value, "most": None, "spread": spread, "noise": None, "met": None, "why": "for comparison"}


def verdict(judged):
    return {True: "met", False: "NOT MET", None: judged["why"]}[judged["met"]]


def summary(judged):
    """How many of each verdict, in one line."""
    count = collections.Counter(verdict(t).partition(":")[0] for t in judged if t["most"] is not None)
    return "%d targets: %s" % (sum(count.values()), ", ".join("%d %s" % (count[name], name) for name in sorted(count, key=str.lower)))


def cpu_targets(works):
    for name, of_haproxy, of_floor in CPU:
        for other, most in ((HAPROXY, of_haproxy), ("floor", of_floor)):
            found = figures.ratio(works[name], "closed", "cpu_us", "metaward", other) if name in works and most else None
            if found:
                whose = "HAProxy's" if other == HAPROXY else "the floor's"
                yield target("%s: CPU per request, of %s" % (works[name]["title"], whose), found[0], most, spread=found[1:])
    for other, whose in (("haproxy-reuse", "HAProxy's that reuses too"), ("floor", "the floor's")):
        found = figures.ratio(works["reuse"], "closed", "cpu_us", "metaward", other) if "reuse" in works else None
        if found:
            yield beside("%s: CPU per request, of %s" % (works["reuse"]["title"], whose), found[0], spread=found[1:])


def latency_targets(works, undisturbed):
    for work in works.values():
        found = figures.ratio(work, "equal", "p99", "metaward", HAPROXY)
        if found:
            yield target("%s: p99 at %d requests/s, of HAProxy's" % (work["title"], work["rate"]), found[0], 1.0,
                         0.0 if undisturbed else figures.others(work, "equal", "metaward", HAPROXY), found[1:],
                         figures.noise(figures.ratios(work, "equal", "p99", AGAIN, HAPROXY)))


def boot_targets(works):
    for work in (works[name] for name in ("boot", "boot-slow") if name in works):
        found = figures.ratio(work, "closed", "seconds", "metaward", HAPROXY)
        yield target("%s: requests that failed" % work["title"], figures.failures(work["subjects"]["metaward"]), 0)
        if found:
            yield target("%s: total time, of HAProxy's" % work["title"], found[0], 1.0, 0.0, found[1:],
                         figures.noise(figures.ratios(work, "closed", "seconds", AGAIN, HAPROXY)))


def judge(results):
    """-> all targets. At real-time priority, others did not get a processor that the bench wanted."""
    works = {name: work for name, work in results["works"].items() if "metaward" in work["subjects"]}
    return [*cpu_targets(works), *latency_targets(works, results["real_time"]), *boot_targets(works),
            *results.get("host", {"targets": []})["targets"]]


def lines(judged):
    return ["%-95s %8.2f %-18s %-14s %s" % (t["text"], t["value"], limit(t), chance(t), verdict(t)) for t in judged] + [summary(judged)]


def limit(judged):
    return "(at most %.2f)" % judged["most"] if judged["most"] is not None else ""


def chance(judged):
    return "(noise %.2f)" % judged["noise"] if judged["noise"] else ""


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
