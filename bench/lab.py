"""A lab of several hosts: `skep-lab`, told what to do word by word."""

import subprocess

from api import Api

IMAGE = "busybox:lab"


class Lab:
    """Hosts a, b, c … of one make; a with statement ends them."""

    def __init__(self, program, make, hosts):
        counts = {"skepd": ["--hosts", str(hosts)], "dockerd": ["--hosts", "0", "--stock", str(hosts)]}
        self.make = make
        self._process = subprocess.Popen(
            [program, *counts[make]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.sockets, self.addresses = {}, {}
        for line in iter(self._process.stdout.readline, ""):
            if not line[1:2].isspace():
                break
            name, address = line.split()[:2]
            self.sockets[name] = line.rsplit("unix://", 1)[1].strip()
            self.addresses[name] = address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()

    def say(self, words):
        """Has it do something, and waits until that is done."""
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        for line in iter(self._process.stdout.readline, ""):
            if line == "ok\n":
                return
        raise RuntimeError(f"the lab ended at: {words}")

    def api(self, name, timeout=120):
        """A new connection to a host's daemon."""
        return Api(f"{self.make} {name}", self.sockets[name], timeout)
