"""Numbers of a full run that README.md and docs/ show, between markers: `<!-- bench NAME -->` and `<!-- end -->`."""
import os
import re
import statistics

import figures
import growth
import report
import targets
from markdown import spread, table

FILES = ("README.md", "docs/performance.md")
WORKS = ("keep", "close", "keep-log", "close-log", "boot", "reuse", "networks-100")


def costs(results):
    """CPU per request of the drop-in and of the host daemon, as ratios."""
    rows = []
    for work in (results["works"][name] for name in WORKS if name in results["works"]):
        rows.append([work["title"], *(spread(figures.ratio(work, "closed", "cpu_us", one, other))
                                      for one, other in (("metaward", "haproxy-2"), ("metaward-daemon-shared", "haproxy-2"),
                                                         ("metaward", "floor"), ("haproxy-2", "floor")))])
    return table(["CPU per request", "drop-in, of HAProxy's", "host daemon, of HAProxy's", "drop-in, of the floor's",
                  "HAProxy's, of the floor's"], rows)


def brief(results):
    """A few lines for who wants to know whether it is worth reading on."""
    works, rows = results["works"], []
    for name in ("keep", "close", "keep-log", "reuse"):
        ratio = figures.ratio(works[name], "closed", "cpu_us", "metaward", "haproxy-2")
        rows.append(["CPU per request, " + works[name]["title"], "%.2f" % ratio[0]])
    one = works["keep"]["subjects"]
    hundred = works["networks-100"]["subjects"]
    rows += [["private memory, one network", "%.2f" % (one["metaward"]["idle"]["kb"] / one["haproxy-2"]["idle"]["kb"])],
             ["private memory, 100 networks, host daemon",
              "%.4f" % (hundred["metaward-daemon-shared"]["idle"]["kb"] / hundred["haproxy-2"]["idle"]["kb"])]]
    start = {name: statistics.median(results["start_ms"][name]) for name in ("metaward", "haproxy-2")}
    rows.append(["start, until the first answer", "%.2f" % (start["metaward"] / start["haproxy-2"])])
    return table(["", "metaward's, of HAProxy's"], rows)


def host(results):
    return report.targets_table(results["host"]["targets"])


def judged(results):
    met = targets.judge(results)
    return report.targets_table([t for t in met if t not in results["host"]["targets"]]) + "\n" + targets.summary(met) + ", those of the host daemon included.\n"


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
        text = re.sub(r"(<!-- bench ([a-z]+) -->\n).*?(<!-- end -->)",
                      lambda found: found.group(1) + BLOCKS[found.group(2)](results) + found.group(3), text, flags=re.S)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
