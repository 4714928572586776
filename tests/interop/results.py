"""Checks that pass or fail, and notes: what was measured and is neither right nor wrong."""
import json
import sys


class Results:
    """Counts checks, and prints each as it is made."""

    def __init__(self, part):
        self.part, self.passed, self.failed, self.notes = part, 0, 0, {}
        self.fails = []

    def check(self, good, what, detail=""):
        if good:
            self.passed += 1
            print("PASS  [%s] %s" % (self.part, what))
        else:
            self.failed += 1
            self.fails.append(what)
            print("FAIL  [%s] %s%s" % (self.part, what, "  -- " + str(detail) if detail != "" else ""))
        sys.stdout.flush()
        return bool(good)

    def equal(self, got, want, what):
        return self.check(got == want, what, "got %r, want %r" % (got, want))

    def note(self, key, value):
        """A measured fact that is neither right nor wrong."""
        self.notes[key] = value
        print("NOTE  [%s] %s: %s" % (self.part, key, value))
        sys.stdout.flush()

    def finish(self, path):
        with open(path, "w") as f:
            json.dump({"part": self.part, "passed": self.passed,
                       "failed": self.failed, "fails": self.fails,
                       "notes": self.notes}, f, indent=1, default=repr)
