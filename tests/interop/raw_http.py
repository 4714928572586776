#!/usr/bin/python3
"""Runs inside a guest's network namespace: sends raw bytes, returns raw bytes.

stdin: JSON list of {"name", "raw" (latin-1 text), "host", "port", "timeout",
       "then": [raw, ...]   sent one by one, each after something was received
       "idle": seconds without data after which reading stops (default 1.5)
       "split": true        send byte by byte groups (slow client)}
stdout: JSON list of {"name", "data", "error", "ms", "closed"}
Reading ends when the peer closes, at the timeout or after `idle` s of silence.
"""
import json
import socket
import sys
import time


def recv_some(s, idle, end):
    out, closed = b"", False
    while True:
        left = min(idle, end - time.monotonic())
        if left <= 0:
            break
        s.settimeout(left)
        try:
            d = s.recv(65536)
        except socket.timeout:
            break
        if not d:
            closed = True
            break
        out += d
    return out, closed


def one(q):
    t0 = time.monotonic()
    end = t0 + q.get("timeout", 8)
    idle = q.get("idle", 1.5)
    r = {"name": q.get("name"), "data": "", "error": None, "closed": False}
    out = b""
    try:
        ai = socket.getaddrinfo(q["host"], q.get("port", 80), type=socket.SOCK_STREAM)[0]
        s = socket.socket(ai[0], socket.SOCK_STREAM)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if q.get("source"):
            s.bind((q["source"], 0))
        s.settimeout(q.get("timeout", 8))
        s.connect(ai[4])
        s.sendall(q["raw"].encode("latin-1"))
        # the first byte may take long (the agent asks Nova), silence after it
        # means that the reply is over
        s.settimeout(max(0.1, end - time.monotonic()))
        for nxt in [None] + q.get("then", []):
            if nxt is not None:
                s.sendall(nxt.encode("latin-1"))
                s.settimeout(max(0.1, end - time.monotonic()))
            d = s.recv(65536)
            out += d
            if not d:
                r["closed"] = True
                break
            more, r["closed"] = recv_some(s, idle, end)
            out += more
            if r["closed"]:
                break
        s.close()
    except OSError as e:
        r["error"] = "%s: %s" % (type(e).__name__, e)
    r["data"] = out.decode("latin-1")
    r["ms"] = round((time.monotonic() - t0) * 1000, 1)
    return r


json.dump([one(q) for q in json.load(sys.stdin)], sys.stdout)
