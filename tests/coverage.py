"""Which lines and branches of the product the programs of a build with -Db_coverage=true have run. usage: coverage.py BUILD_DIR"""
import collections
import glob
import json
import os
import subprocess
import sys

PRODUCT = ("ipc/", "policy/", "unpriv/", "priv/")


def reports(build):
    """What gcov says of each object that was run."""
    for data in glob.glob(os.path.join(build, "**", "*.gcda"), recursive=True):
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", data],
                              capture_output=True, text=True, check=True, cwd=build)
        yield from (json.loads(line) for line in done.stdout.splitlines() if line)


def collect(build, top):
    """-> {file: ({line: times run}, {(line, number of the branch): times taken})}, over all programs"""
    found = collections.defaultdict(lambda: (collections.Counter(), collections.Counter()))
    for report in reports(build):
        for source in report["files"]:
            path = os.path.relpath(os.path.join(build, source["file"]), top)
            if not path.startswith(PRODUCT):
                continue
            lines, branches = found[path]
            for line in source["lines"]:
                lines[line["line_number"]] += line["count"]
                for number, branch in enumerate(line["branches"]):
                    branches[line["line_number"], number] += branch["count"]
    return found


def share(counts):
    return "%5.1f %%" % (100 * sum(count > 0 for count in counts.values()) / len(counts)) if counts else "      -"


def main():
    build = os.path.abspath(sys.argv[1])
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = collect(build, top)
    whole = (collections.Counter(), collections.Counter())
    print("%-36s %8s %9s" % ("by the unit tests", "lines", "branches"))
    for path, both in sorted(found.items()):
        print("%-36s %8s %9s" % (path, share(both[0]), share(both[1])))
        for counts, all_counts in zip(both, whole):
            all_counts.update({(path, key): count for key, count in counts.items()})
    print("%-36s %8s %9s" % ("all of these", share(whole[0]), share(whole[1])))
    print("Files that no unit test links, most of priv/ and of the worker's loop, are run by the system tests only.")


if __name__ == "__main__":
    main()
