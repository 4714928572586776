"""Run every libFuzzer harness of a build directory for so many seconds, two at a time; stop at the first finding.

usage: run.py BUILD_DIR SECONDS [NAME...]

A finding is left beside the build as NAME-crash-...; new inputs go to a scratch corpus, never into the tree.
"""
import concurrent.futures
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def fuzz(build, name, seconds):
    program = os.path.join(build, "fuzz_" + name)
    scratch = os.path.join(build, "found", name)
    os.makedirs(scratch, exist_ok=True)
    command = [program, "-max_total_time=%d" % seconds, "-print_final_stats=1", "-timeout=5", "-rss_limit_mb=2048",
               "-artifact_prefix=" + os.path.join(build, name + "-")]
    dictionary = os.path.join(HERE, name + ".dict")
    if os.path.exists(dictionary):
        command.append("-dict=" + dictionary)
    command.append(scratch)
    seeds = os.path.join(HERE, "corpus", name)
    if os.path.isdir(seeds):
        command.append(seeds)
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    return name, done.returncode, int(executed.group(1)) if executed else 0, covered[-1] if covered else "?", done.stderr


def main():
    build, seconds = sys.argv[1], int(sys.argv[2])
    names = sys.argv[3:] or sorted(f[5:] for f in os.listdir(build)
                                   if f.startswith("fuzz_") and os.access(os.path.join(build, f), os.X_OK)
                                   and not os.path.isdir(os.path.join(build, f)))
    if not names:
        sys.exit("no harness in " + build)
    failed = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for name, status, executed, covered, text in pool.map(lambda n: fuzz(build, n, seconds), names):
            good = status == 0 and executed > 0
            print("%-20s %10d inputs, %5s edges  %s" % (name, executed, covered, "ok" if good else "FAILED"), flush=True)
            if not good:
                failed.append(name)
                print(text[-4000:])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
