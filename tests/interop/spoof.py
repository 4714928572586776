"""Sends the table of hostile requests from a guest's namespace, and judges by what the stub of Nova saw.

A case worked when Nova was asked, in its name, for an instance other than the sender's, or when the reply carries
another instance's name. Everything else is recorded as behaviour: status codes, number of requests that reached Nova,
and X-Forwarded-For as Nova saw it. `wire` sends the same table while the agent is down and the run itself listens on
the agent's socket, so that the exact bytes that a proxy hands to the agent are on record.
"""
import json
import os
import socket
import threading
import time

from guests import raw, statuses
from processes import write


def tag(path):
    q = path.partition("?")[2]
    return next((x[2:] for x in q.split("&") if x.startswith("t=")), "")


def judge(replies, lines, sender):
    """-> {name: {codes, nova: [...], own, others}}"""
    out = {}
    for r in replies:
        n = r["name"]
        seen = [x for x in lines if tag(x["path"]) in (n, n + ".second")]
        mine = [x for x in seen if x["name"] == sender]
        others = [x["name"] for x in seen if x["name"] not in (sender, None)]
        out[n] = {
            "codes": statuses(r["data"]),
            "raw_head": r["data"][:60].split("\r\n")[0],
            "error": r["error"], "ms": r["ms"], "closed": r["closed"],
            "nova": [{"path": x["path"], "method": x["method"],
                      "as": x["name"], "xff": x["xff"], "code": x["code"],
                      "body_len": x["body_len"]} for x in seen],
            "own": len(mine), "others": others}
    return out


def answered_for_others(replies, verdicts, sender, names):
    """Second, independent look: does a reply name another instance?"""
    bad = {}
    for r in replies:
        leak = [v for v in names if v != sender and ('"name": "%s"' % v) in r["data"]]
        if leak or verdicts[r["name"]]["others"]:
            bad[r["name"]] = leak or verdicts[r["name"]]["others"]
    return bad


def verdicts(results, label, v, bad):
    """One check per case."""
    results.equal(v["baseline"]["codes"], [200], "%s spoof: the baseline is 200" % label)
    for n in sorted(v):
        if n != "baseline":
            results.check(n not in bad, "%s spoof %s: no other identity" % (
                label, n), "Nova was asked for %s" % bad.get(n))


class Capture:
    """Takes the agent's place on its socket and writes down what comes."""

    def __init__(self, path):
        self.path, self.conns, self.stop = path, [], False
        self.linger = 0.15
        if os.path.exists(path):
            os.unlink(path)
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(path)
        os.chmod(path, 0o666)
        self.s.listen(128)
        self.s.settimeout(0.2)
        self.t = threading.Thread(target=self.loop, daemon=True)
        self.t.start()

    def loop(self):
        while not self.stop:
            try:
                c, _ = self.s.accept()
            except socket.timeout:
                continue
            rec = {"data": b"", "t": time.monotonic()}
            self.conns.append(rec)
            threading.Thread(target=self.serve, args=(c, rec), daemon=True).start()

    def serve(self, c, rec):
        c.settimeout(0.08)
        answered, t0 = 0, time.monotonic()
        while time.monotonic() - t0 < 3:
            try:
                d = c.recv(65536)
                if not d:
                    break
                rec["data"] += d
                continue
            except socket.timeout:
                pass
            except OSError:
                break
            if answered and time.monotonic() - answered > self.linger:
                break
            if not answered and b"\r\n\r\n" in rec["data"]:
                answered = time.monotonic()
                try:
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                              b"Content-Length: 2\r\n\r\nok")
                except OSError:
                    break
        c.close()

    def close(self):
        self.stop = True
        self.t.join(2)
        self.s.close()
        try:
            os.unlink(self.path)
        except OSError:
            pass


def run(results, outdir, label, nova, ns, sender, names, table):
    """Send the table, judge it, write <outdir>/spoof-<label>.json.
    -> the verdicts, and the cases that worked."""
    m = nova.mark()
    replies = raw(ns, list(table.values()))
    time.sleep(0.3)
    v = judge(replies, nova.since(m), sender)
    bad = answered_for_others(replies, v, sender, names)
    for n in v:
        v[n]["worked"] = bad.get(n, [])
        v[n]["sent"] = table[n]["raw"][:400]
    write(os.path.join(outdir, "spoof-%s.json" % label), json.dumps(v, indent=1))
    groups = {}
    for n, x in v.items():
        k = "codes %s, Nova asked %d time(s) as the sender" % (
            x["codes"] or ([x["raw_head"]] if x["raw_head"] else
                           [x["error"] or "closed without a byte"]), x["own"])
        if x["worked"]:
            k = "WORKED (answered for %s): codes %s" % (x["worked"], x["codes"])
        groups.setdefault(k, []).append(n)
    for k in sorted(groups):
        results.note("%s: %s" % (label, k), " ".join(groups[k]))
    return v, bad


def wire(outdir, label, sock, ns, table):
    """The same requests, recorded on the agent's side of the proxy."""
    cap = Capture(sock)
    out = {}
    try:
        for n, q in table.items():
            k = len(cap.conns)
            q = dict(q)
            q["timeout"], q["idle"] = 2, 0.2
            cap.linger = 0.8 if q.get("then") else 0.15
            r = raw(ns, [q])[0]
            time.sleep(0.02)
            out[n] = {"reply": r["data"][:120],
                      "forwarded": [x["data"].decode("latin-1")[:3000]
                                    for x in cap.conns[k:]]}
    finally:
        cap.close()
    write(os.path.join(outdir, "wire-%s.json" % label), json.dumps(out, indent=1))
    return out
