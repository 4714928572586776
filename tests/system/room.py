"""A mount namespace with a /run/metaward of its own, where a host daemon (a real or a made-up one) can be found."""
import os
import subprocess


class Room:
    """Commands are started in it with `room.enter(...)`; `room.path(NAME)` shows a file of its /run/metaward here."""

    def __enter__(self):
        script = ("mkdir -p /run/metaward && mount -t tmpfs -o mode=0755 tmpfs /run/metaward && echo ready && "
                  "exec sleep infinity")
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def enter(self, *command):
        """The command line that runs a command in here, in the network namespace of whoever starts it.

        The root is named because it need not be that of the mounts: the tests may run in a chroot.
        """
        return ["nsenter", "--target", str(self.holder.pid), "--mount", "--root", "--wd", "--", *command]

    def path(self, name):
        return os.path.join("/proc/%d/root" % self.holder.pid, "run/metaward", name)
