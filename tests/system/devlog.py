"""A log daemon of our own behind /dev/log, seen by the proxy alone.

The machine may have a real /dev/log, or none: neither is touched. The proxy is started in a mount namespace whose
/dev is an ordinary folder, which the test fills from outside.
"""
import os
import socket
import threading

ENTER = """set -e
for node in null zero urandom; do : >"$0/$node"; mount --bind "/dev/$node" "$0/$node"; done
mount --rbind "$0" /dev
exec "$@"
"""


class DevLog:
    """The folder that is the proxy's /dev, and the daemon behind its log socket."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.path = os.path.join(self.folder, "log")
        self.under = ("unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, self.folder)
        self.lines, self.sock = [], None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, read=True):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o666)
        self.thread = threading.Thread(target=self.read, daemon=True)
        if read:
            self.thread.start()

    def stop(self):
        """End the daemon, as its restart does: the socket is gone from /dev."""
        if self.sock is None:
            return
        os.unlink(self.path)
        if self.thread.is_alive():
            self.sock.shutdown(socket.SHUT_RDWR)
            self.thread.join(10)
        self.sock.close()
        self.sock = None

    def read(self):
        while True:
            data = self.sock.recv(65536)
            if not data:
                return
            self.lines.append(data)
