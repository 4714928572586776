"""The part of the report about what grows with what."""
import laws
from markdown import table


def law_rows(points, one):
    """A subject a row: its memory and its cost as laws, and how far off they are."""
    for found in laws.by_subject(points).values():
        line, cost = laws.line(found), laws.growth(found)
        at, last = cost.ratios[-1]
        yield [found[0]["title"], "%d to %d" % (found[0]["at"], at), laws.memory_in_words(line, one), "%.0f %%" % (line.off * 100),
               laws.cost_in_words(cost), "%.2f (%.2f–%.2f)" % last]


def laws_table(points, one, many):
    return table(["", many, "private memory", "off by at most", "CPU per request", "with the most, of that with the fewest"],
                 list(law_rows(points, one)))


def values_table(points, cell):
    """A subject a row, a number a column."""
    columns = sorted({point["at"] for point in points})
    rows = []
    for found in laws.by_subject(points).values():
        there = {point["at"]: point for point in found}
        rows.append([found[0]["title"], *(cell(there[at]) if at in there else "" for at in columns)])
    return table(["", *("{:,}".format(at) for at in columns)], rows)


def memory_table(points):
    return values_table(points, lambda p: "%.0f" % p["kb"])


def cost_table(points):
    return values_table(points, lambda p: "%.1f" % laws.cost(p))


def workers_table(points):
    rows = [["%d" % p["at"], "%.0f" % laws.per_second(p), "%.2f (%.2f–%.2f)" % laws.ratios(p, points[0], "per_second"),
             "%.1f" % laws.cost(p), "%.2f (%.2f–%.2f)" % laws.ratios(p, points[0]), "%.0f" % p["kb"]] for p in points]
    return table(["workers", "requests/s", "of that with one", "CPU per request, µs", "of that with one", "private memory, kB"], rows)


def failures(scaling):
    return sum(s["failures"] for points in scaling.values() for point in points for s in point["samples"])


def part(scaling):
    """-> Markdown, of {series: points} (scaling.py)"""
    return """## What grows with what

Private memory as a line, a + b × number, fitted so that the greatest shares of deviation are small; CPU per request by that of the
same subject with the fewest, round by round: median (least–most). Connections are made before anything is counted. %s

### Networks

1000 keep-alive guests, spread over the networks (with 10,000 networks, the first 1000 are asked). All listeners in one namespace.

%s
Private memory, idle, after a request in each network, kB:

%s
CPU per request, microseconds:

%s
![Over the number of networks](networks.svg)

### Connections

So many idle ones, while 16 other guests ask on one network.

%s
Private memory meanwhile, kB:

%s
So many that ask all the time, CPU per request, microseconds. With one, each request wakes everybody; with many, a turn of the
loop handles several.

%s
![Over the number of connections](connections.svg)

### Workers

The host daemon, shared, 100 networks, 100 guests. Agent and guests, a thread each, share the machine's processors with the workers.

%s
![Workers](workers.svg)
""" % ("No request failed." if not failures(scaling) else "%d requests FAILED." % failures(scaling),
       laws_table(scaling["networks"], "network", "networks"), memory_table(scaling["networks"]), cost_table(scaling["networks"]),
       laws_table(scaling["idle"], "connection", "idle connections"), memory_table(scaling["idle"]),
       cost_table(scaling["active"]), workers_table(scaling["workers"]))
