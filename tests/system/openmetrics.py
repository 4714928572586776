"""A strict reader of OpenMetrics text: every rule of the format that a page of metaward's can break is looked at."""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\Z)')
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"], "info": ["_info"]}


def labels_of(text):
    found, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match and match.group(1) not in found, text
        found[match.group(1)] = match.group(2)
        at = match.end()
    assert not text.endswith(",")
    return found


def families(text):
    """{family: {"type", "help", "unit", "samples": [(name, labels, value)]}}"""
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1 and "\n\n" not in text and "\r" not in text
    found, current = {}, None
    for line in text.splitlines()[:-1]:
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            assert NAME.match(name) and kind in ("TYPE", "UNIT", "HELP")
            if kind == "TYPE":
                assert name not in found, "a family in two pieces: " + name
                current = found[name] = {"name": name, "type": rest, "samples": []}
                assert rest in SUFFIXES and not name.endswith(("_total", "_bucket", "_count", "_sum", "_info"))
            else:
                assert current["name"] == name and kind.lower() not in current and not current["samples"]
                current[kind.lower()] = rest
                assert kind != "UNIT" or name.endswith("_" + rest)
            continue
        match = re.match(r"([a-zA-Z0-9_:]+)(?:\{(.*)\})? (-?[0-9.]+)\Z", line)
        assert match, line
        name, labels, value = match.group(1), labels_of(match.group(2) or ""), float(match.group(3))
        assert name in [current["name"] + suffix for suffix in SUFFIXES[current["type"]]], line
        assert (name, labels) not in [(n, l) for n, l, _ in current["samples"]], line
        assert current["type"] == "gauge" or value >= 0
        assert current["type"] != "info" or value == 1
        current["samples"].append((name, labels, value))
    for family in found.values():
        assert family["help"]
        if family["type"] == "histogram":
            check_histogram(family)
    return found


def check_histogram(family):
    series = {}
    for name, labels, value in family["samples"]:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(key, []).append((name[len(family["name"]):], labels.get("le"), value))
    for samples in series.values():
        buckets = [(bound, value) for suffix, bound, value in samples if suffix == "_bucket"]
        bounds = [float(bound) for bound, _ in buckets]
        assert buckets[-1][0] == "+Inf" and bounds == sorted(bounds) and len(set(bounds)) == len(bounds)
        assert all(re.match(r"\d+\.\d+\Z|\+Inf\Z", bound) for bound, _ in buckets)
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)
        rest = {suffix: value for suffix, _, value in samples if suffix != "_bucket"}
        assert rest["_count"] == buckets[-1][1] and "_sum" in rest and len(samples) == len(buckets) + 2
