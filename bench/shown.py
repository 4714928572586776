"""Numbers of a full run that README.md and docs/ show, between markers: `<!-- bench NAME -->` and `<!-- end -->`."""
import os
import re
import statistics

import figures
import growth
import report
import targets
from markdown import spread, table
from targets import HAPROXY

FILES = ("README.md", "docs/performance.md")
MARKED = re.compile(r"<!-- bench ([a-z]+) -->\n.*?<!-- end -->", re.S)
WORKS = ("keep", "close", "keep-log", "close-log", "boot", "reuse", "networks-100")


def costs(results):
    """CPU per request of the drop-in and of the host daemon, as ratios."""
    rows = []
    for work in (results["works"][name] for name in WORKS if name in results["works"]):
        rows.append([work["title"], *(spread(figures.ratio(work, "closed", "cpu_us", one, other))
                                      for one, other in (("metaward", HAPROXY), ("metaward-daemon-shared", HAPROXY),
                                                         ("metaward", "floor"), (HAPROXY, "floor")))])
    return table(["CPU per request", "drop-in, of HAProxy's", "host daemon, of HAProxy's", "drop-in, of the floor's",
                  "HAProxy's, of the floor's"], rows)


def brief(results):
    """A few lines for who wants to know whether it is worth reading on."""
    works, rows = results["works"], []

    def row(text, form, one, other, ratio=None):
        rows.append([text, form % one, form % other, "%.2g" % (one / other if ratio is None else ratio)])
    for work in (works[name] for name in ("keep", "close", "keep-log", "reuse")):
        cost = [figures.median(work["subjects"][name], "closed", "cpu_us") for name in ("metaward", HAPROXY)]
        row("CPU per request, %s, µs" % work["title"], "%.1f", *cost, figures.ratio(work, "closed", "cpu_us", "metaward", HAPROXY)[0])
    kb = {(work, name): works[work]["subjects"][name]["idle"]["kb"] for work in ("keep", "networks-100")
          for name in ("metaward", HAPROXY, "metaward-daemon-shared")}
    row("private memory, one network, kB", "%d", kb["keep", "metaward"], kb["keep", HAPROXY])
    row("private memory, 100 networks, one daemon for all, kB", "%d", kb["networks-100", "metaward-daemon-shared"], kb["networks-100", HAPROXY])
    row("start, until the first answer, ms", "%.1f", *(statistics.median(results["start_ms"][name]) for name in ("metaward", HAPROXY)))
    return table(["", "metaward", "HAProxy", "ratio"], rows)


def host(results):
    return report.targets_table(results["host"]["targets"])


def judged(results):
    met = targets.judge(results)
    own = [t for t in met if t not in results["host"]["targets"]]
    return "%s\n%s, those of the host daemon included.\n" % (report.targets_table(own), targets.summary(met))


def law(series, one, many):
    return lambda results: growth.laws_table(results["scaling"][series], one, many)


def workers(results):
    return growth.workers_table(results["scaling"]["workers"])


BLOCKS = {"brief": brief, "costs": costs, "judged": judged, "host": host, "networks": law("networks", "network", "networks"),
          "connections": law("idle", "connection", "idle connections"), "workers": workers}


def fill(results, top):
    for name in FILES:
        path = os.path.join(top, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        text = MARKED.sub(lambda found: "<!-- bench %s -->\n%s<!-- end -->" % (found[1], BLOCKS[found[1]](results)), text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
