"""Everything that can be said of the sources without running them. usage: lint.py BUILD_DIR [STEP...]

Steps: format, rules, tidy, cppcheck. Each finding is a line `file:line: what`; the exit status says whether there were any.
BUILD_DIR holds compile_commands.json.
"""
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys

PRODUCT = ["priv", "priv/host", "priv/launcher", "priv/lease", "unpriv", "unpriv/http", "unpriv/reader", "unpriv/worker", "ipc", "policy", "ctl"]
REST = ["tests/unit", "fuzz", "bench"]
FUNCTION_LINES = 80
PARENT_LINES = {"priv": 1000, "priv/host": 3120, "priv/launcher": 250}  # what runs with power: for one network; what the
# host daemon adds, of which 600 lines are the two sides of an upgrade: they fill and read the table of networks; its launcher
# Words and paths that have no place in the project: unfinished work, somebody's machine.
FORBIDDEN = re.compile(r"\b(TODO|FIXME|XXX)\b|/(home|root|work|farm)/")


def files(folders, endings):
    return sorted(f for d in folders for e in endings for f in glob.glob("%s/*.%s" % (d, e)))


def run_format(_):
    done = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=3", "-Werror", *files(PRODUCT + REST, "ch")],
                          capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if ": error:" in line]


def long_functions(path, lines):
    start, name = 0, ""
    for number, line in enumerate(lines, 1):
        if re.match(r"^[a-z].*[)]$|^[a-z].*[)] *\{$|^[a-z_].*,$", line) and not start:
            start, name = number, line
        if line.startswith("}"):
            if start and number - start > FUNCTION_LINES:
                yield "%s:%d: %d lines: %s" % (path, start, number - start, name)
            start = 0
        elif line and not line.startswith((" ", "{", "\t")) and not re.match(r"^[a-z_]", line):
            start = 0


def undocumented(path, text):
    """Function declarations in a header that no comment stands before."""
    for match in re.finditer(r"(?m)^(?!static|typedef|struct [a-z_]+ \{|extern|#|enum)[a-z][a-z0-9_ *]*[ *]([a-z_0-9]+)\([^;{]*\)[^;{]*;", text):
        before = text[:match.start()].rstrip()
        if not before.endswith("*/"):
            yield "%s:%d: %s() has no doc comment" % (path, text[:match.start()].count("\n") + 1, match.group(1))


def project_files():
    for folder, folders, names in os.walk("."):
        folders[:] = [d for d in folders if not d.startswith((".git", "build", "__pycache__", ".pytest"))]
        yield from (os.path.relpath(os.path.join(folder, name)) for name in names)


def run_rules(_):
    found = []
    for path in files(PRODUCT + REST, "ch"):
        text = open(path, encoding="utf-8").read()
        lines = text.splitlines()
        if not text.startswith("/*\n"):
            found.append("%s:1: does not start with a few lines of theory" % path)
        found += long_functions(path, lines)
        if path.endswith(".h") and path.split("/")[0] in ("priv", "unpriv", "ipc", "policy"):
            found += undocumented(path, text)
    for folder, most in PARENT_LINES.items():
        lines = sum(len(open(f, encoding="utf-8").readlines()) for f in files([folder], "ch"))
        if lines > most:
            found.append("%s/:1: %d lines, %d are allowed" % (folder, lines, most))
    for path in project_files():
        if path == ".git" or path.endswith((".jsonl", "LICENSE", "lint.py")) or path.startswith("fuzz/corpus/"):
            continue
        for number, line in enumerate(open(path, encoding="utf-8", errors="replace"), 1):
            match = FORBIDDEN.search(line)
            if match:
                found.append("%s:%d: %s" % (path, number, match.group(0)))
    return found


def run_tidy(build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        known = {os.path.relpath(os.path.join(c["directory"], c["file"])) for c in json.load(f)}
    sources = [f for f in files(PRODUCT, "c") if f in known]
    if not sources:
        return ["%s: names no source of this tree" % build]

    def one(batch):
        return subprocess.run(["clang-tidy", "--quiet", "-p", build, "--extra-arg=-Wno-unknown-warning-option",
                               "--extra-arg=-Wno-ignored-optimization-argument", *batch],
                              capture_output=True, text=True, check=False)
    batches = [sources[i::8] for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        done = list(pool.map(one, [b for b in batches if b]))
    found = [line for d in done for line in d.stdout.splitlines() if re.search(r": (error|warning):", line)]
    if not found and any(d.returncode != 0 for d in done):
        found = [d.stderr[-500:] for d in done if d.returncode != 0]
    return sorted(set(found))


def run_cppcheck(build):
    done = subprocess.run(["cppcheck", "--quiet", "--std=c11", "--enable=warning,performance,portability,unusedFunction",
                           "--inline-suppr", "--suppressions-list=tests/cppcheck.txt", "--template={file}:{line}: {id}: {message}",
                           "-D__x86_64__", "-DMETAWARD_VERSION=\"\"", "-DMETAWARD_LIBEXECDIR=\"\"", "-DMETAWARD_SBINDIR=\"\"", "-I.", "--error-exitcode=1",
                           *files(PRODUCT, "c")], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.strip()]


def main():
    build, steps = sys.argv[1], sys.argv[2:] or ["format", "rules", "tidy", "cppcheck"]
    failed = False
    for step in steps:
        found = {"format": run_format, "rules": run_rules, "tidy": run_tidy, "cppcheck": run_cppcheck}[step](build)
        print("%-9s %s" % (step, "ok" if not found else "%d finding(s)" % len(found)), flush=True)
        for line in found:
            failed = True
            print("  " + line.replace(os.getcwd() + "/", ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
