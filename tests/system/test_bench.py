"""The bench's judgement: what it calls a regression, what met, what a law. What it measures is not tested here."""
import json
import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "..", "bench")
sys.path.append(BENCH)

import figures  # noqa: E402
import laws  # noqa: E402
import shown  # noqa: E402
import targets  # noqa: E402

with open(targets.BANDS, encoding="utf-8") as opened:
    BANDS = json.load(opened)

# In metaward's place: the old way in Python, which takes ten times HAProxy's time.
SLOW = """\
#!/usr/bin/python3
import os, re, sys
text = open(sys.argv[sys.argv.index("-f") + 1]).read()
address, agent = re.search(r"bind (.*):80", text)[1], re.search(r"server metadata (.*)", text)[1]
os.execv("/usr/bin/python3", ["python3", "-B", "%s", address, "80", agent])
"""


def subject(figure=None, value=1.0, kb=300, failures=0):
    sample = {"failures": failures, **({figure: value} if figure else {})}
    return {"idle": {"kb": kb}, "closed": [dict(sample) for _ in range(3)], "equal": []}


def results(band, ratio, **metaward):
    """A run in which metaward has that ratio to the subject of a band."""
    subjects = {"metaward": subject(band["figure"], ratio, **metaward), band["to"]: subject(band["figure"])}
    return {"works": {band["work"]: {"title": band["work"], "subjects": subjects}}}


@pytest.mark.parametrize("band", BANDS["ratios"], ids=lambda band: "%(work)s-%(to)s" % band)
def test_a_ratio_beyond_its_band_is_a_regression(band):
    end = band["ratio"] * (1 + band["band"])
    assert targets.check_bands(results(band, end * 0.99)) == []
    (left,) = targets.check_bands(results(band, end * 1.02))
    assert left.work == band["work"] and band["figure"] in left.text


def test_memory_beyond_its_limit_is_a_regression():
    band = BANDS["ratios"][0]
    (left,) = targets.check_bands(results(band, band["ratio"], kb=BANDS["idle_kb"]["most"] + 1))
    assert "private memory" in left.text


def test_a_failed_request_is_a_regression():
    band = BANDS["ratios"][0]
    (left,) = targets.check_bands(results(band, band["ratio"], failures=1))
    assert "failed" in left.text


@pytest.mark.measured
@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")
def test_a_slow_build_fails_the_quick_bench(tmp_path):
    program = tmp_path / "libexec" / "metaward" / "haproxy"
    program.parent.mkdir(parents=True)
    program.write_text(SLOW % os.path.join(BENCH, "wsgi.py"))
    program.chmod(0o755)
    done = subprocess.run([sys.executable, "-B", os.path.join(BENCH, "run.py"), "--prefix", str(tmp_path), "--quick", "--works", "keep",
                           "--rounds", "2", "--seconds", "0.1", "--patience", "0"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done
    assert "once more, a ratio has left its band" in done.stdout
    assert "bench: keep: cpu_us of metaward is" in done.stdout


def test_noise_is_what_chance_makes_of_equal_things():
    assert figures.noise([1.0] * 11) == 1.0
    small, great = figures.noise([0.95, 1.0, 1.05] * 4), figures.noise([0.5, 1.0, 2.0] * 4)
    assert 1.0 <= small <= 1.06 < great <= 2.0
    assert figures.noise([]) is None


@pytest.mark.parametrize("value, others, verdict", [
    (1.0, 0.0, "met"), (1.1, 0.0, "within noise"), (1.3, 0.0, "NOT MET"), (0.9, 0.5, "not judged: others had 50 %")])
def test_verdicts(value, others, verdict):
    assert targets.verdict(targets.target("p99", value, 1.0, others, noise=1.2)) == verdict


def test_without_noise_a_limit_is_a_limit():
    assert targets.verdict(targets.target("CPU", 1.001, 1.0)) == "NOT MET"
    assert targets.summary([targets.target("CPU", 2, 1.0), targets.target("CPU", 1, 1.0), targets.beside("CPU", 1)]) == \
        "2 targets: 1 met, 1 NOT MET"


def points(kb, cost):
    return [{"at": at, "kb": kb(at), "samples": [{"cpu_us": cost(at)}] * 3} for at in (1, 10, 100, 1000)]


def test_the_law_of_memory_is_found():
    found = laws.line(points(lambda at: 500 + 2 * at, lambda at: 1))
    assert (round(found.base), round(found.each, 3), round(found.off, 6)) == (500, 2, 0)
    assert laws.memory_in_words(found, "network") == "500 kB and 2 kB for each network"


def test_the_law_of_cost_is_found():
    assert laws.cost_in_words(laws.growth(points(lambda at: 1, lambda at: 40 + (at == 10)))) == "constant within 3 %"
    growing = laws.growth(points(lambda at: 1, lambda at: {1: 40, 10: 60, 100: 80, 1000: 100}[at]))
    assert laws.cost_in_words(growing) == "+50 % for ten times as many"


def test_every_marker_has_its_numbers():
    """A block without a function would fail a run at its end, one without a marker is never shown."""
    names = []
    for name in shown.FILES:
        with open(os.path.join(HERE, "..", "..", name), encoding="utf-8") as f:
            names += shown.MARKED.findall(f.read())
    assert sorted(names) == sorted(shown.BLOCKS)
