"""What `scaling.py` measured, as laws: memory is a line, cost is constant or grows with each tenfold; and how far off that is."""
import collections
import math
import statistics

CONSTANT = 0.10  # cost that stays within so much of its least point's is called constant

Line = collections.namedtuple("Line", "base each off")  # kB; kB for each one more; the greatest deviation, as a share
Growth = collections.namedtuple("Growth", "ratios tenfold off")  # [(at, (median, least, most))]; see growth()


def by_subject(points):
    """-> {subject's name: its points, the least first}"""
    found = collections.OrderedDict()
    for point in sorted(points, key=lambda p: p["at"]):
        found.setdefault(point["subject"], []).append(point)
    return found


def line(points):
    """The line through memory over number that is off by least, deviations counted as shares. Two points at least."""
    weights = [1 / point["kb"] ** 2 for point in points]
    total = sum(weights)
    x = sum(w * p["at"] for w, p in zip(weights, points)) / total
    y = sum(w * p["kb"] for w, p in zip(weights, points)) / total
    spread = sum(w * (p["at"] - x) ** 2 for w, p in zip(weights, points))
    each = sum(w * (p["at"] - x) * (p["kb"] - y) for w, p in zip(weights, points)) / spread
    base = y - each * x
    return Line(base, each, max(abs(base + each * p["at"] - p["kb"]) / p["kb"] for p in points))


def cost(point):
    return statistics.median(s["cpu_us"] for s in point["samples"])


def per_second(point):
    return statistics.median(s["per_second"] for s in point["samples"])


def ratios(point, first, figure="cpu_us"):
    """-> (median, least, most) of rounds, by the same round's at the first point"""
    found = [a[figure] / b[figure] for a, b in zip(point["samples"], first["samples"])]
    return statistics.median(found), min(found), max(found)


def growth(points):
    """-> cost by that at the first point; by how much it grows for ten times as many (least squares); its greatest distance from
    constant"""
    found = [(point["at"], ratios(point, points[0])) for point in points]
    x = [math.log10(at) for at, _ in found]
    y = [ratio[0] for _, ratio in found]
    middle = statistics.mean(x)
    tenfold = sum((a - middle) * b for a, b in zip(x, y)) / sum((a - middle) ** 2 for a in x)
    return Growth(found, tenfold, max(abs(ratio - 1) for ratio in y))


def memory_in_words(found, what):
    each = "%s kB for each %s" % ("%.2g" % found.each if found.each < 10 else "%.0f" % found.each, what)
    return each if abs(found.base) < found.each / 10 else "%.0f kB and %s" % (found.base, each)


def cost_in_words(found):
    if found.off <= CONSTANT:
        return "constant within %.0f %%" % max(1, math.ceil(found.off * 100))
    return "%+.0f %% for ten times as many" % (found.tenfold * 100)
