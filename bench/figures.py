"""What rounds come to: medians, spreads, and ratios between subjects of the same round."""
import random
import statistics

DRAWS = 2000


def percentile(times, share):
    """Of a histogram: the time that so large a share of the answers took at most; microseconds."""
    left = sum(count for _, count in times) * share
    for value, count in times:
        left -= count
        if left <= 0:
            return value
    return times[-1][0] if times else 0.0


def merge(histograms):
    total = {}
    for times in histograms:
        for value, count in times:
            total[value] = total.get(value, 0) + count
    return sorted(total.items())


def values(subject, series, name):
    return [sample[name] for sample in subject[series]]


def median(subject, series, name):
    found = values(subject, series, name)
    return statistics.median(found) if found else None


def ratios(work, series, name, one, other):
    """Round by round: what `one` needed, by what `other` needed just before or after."""
    subjects = work["subjects"]
    if one not in subjects or other not in subjects:
        return []
    return [a / b for a, b in zip(values(subjects[one], series, name), values(subjects[other], series, name)) if b > 0]


def ratio(work, series, name, one, other):
    """-> (median, least, most), or None where one of the two was not there."""
    found = ratios(work, series, name, one, other)
    return (statistics.median(found), min(found), max(found)) if found else None


def noise(found):
    """`found`: ratios of something to itself. -> so far above 1 the median of as many comes by chance, in 95 of 100 cases.

    They are drawn again and again from what was found and its inverse, for neither of the two is the first.
    """
    if not found:
        return None
    chance = random.Random(1)
    both = [*found, *(1 / ratio for ratio in found)]
    medians = sorted(statistics.median(chance.choices(both, k=len(found))) for _ in range(DRAWS))
    return medians[int(DRAWS * 0.95)]


def failures(subject):
    return sum(values(subject, "closed", "failures")) + sum(values(subject, "equal", "failures"))


def answer_times(subject):
    """-> p50, p99 (medians of rounds), p99.9 (of all rounds together: there are too few answers in one)"""
    return median(subject, "equal", "p50"), median(subject, "equal", "p99"), percentile(list(zip(*subject["times"])), 0.999)


def others(work, series, *names):
    """The share of the machine that others had while these subjects' samples were taken: the median."""
    return statistics.median(share for name in names for share in values(work["subjects"][name], series, "others"))
