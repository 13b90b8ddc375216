"""A daemon under measurement: started in a network namespace of its own, spoken to over its socket."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from api import Api

IMAGE = "busybox:bench"


class Engine(Api):
    """One daemon with a private data root; `helpers` names the programs that belong to it."""

    def __init__(self, name, program, extra=()):
        self.program, self.extra = program, list(extra)
        self.home = tempfile.mkdtemp(prefix=f"bench-{name}-")
        super().__init__(name, f"{self.home}/sock")
        self.namespace = f"bench-{name}-{os.getpid()}"
        self.process = None
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        subprocess.run(["ip", "-n", self.namespace, "link", "set", "lo", "up"], check=True)

    def start(self):
        """Starts the daemon and waits until it answers; returns the seconds that took."""
        words = ["nsenter", f"--net=/run/netns/{self.namespace}", self.program, "--host", f"unix://{self.socket}"]
        words += ["--data-root", f"{self.home}/data", "--exec-root", f"{self.home}/run"]
        words += ["--pidfile", f"{self.home}/pid", *self.extra]
        begin = time.monotonic()
        with open(f"{self.home}/log", "ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while True:
            try:
                self.get("/info")
                return time.monotonic() - begin
            except (OSError, http.client.HTTPException):
                if self.process.poll() is not None or time.monotonic() - begin > 60:
                    with open(f"{self.home}/log") as log:
                        raise RuntimeError(f"{self.name} did not start:\n{log.read()[-2000:]}") from None
                time.sleep(0.005)

    def kill(self, number=signal.SIGTERM):
        """Ends the daemon and waits for its end."""
        self.process.send_signal(number)
        self.process.wait()
        self.forget_connection()
        if os.path.exists(f"{self.home}/pid"):
            os.unlink(f"{self.home}/pid")

    def clean_up(self):
        """Leaves nothing: containers, mounts, namespace, files."""
        if self.process and self.process.poll() is None:
            try:
                self.post("/swarm/leave?force=1")
            except (OSError, RuntimeError, http.client.HTTPException):
                pass
            self.kill()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        with open("/proc/self/mounts") as mounts:
            places = [line.split()[1] for line in mounts if line.split()[1].startswith(self.home)]
        for place in sorted(places, reverse=True):
            subprocess.run(["umount", "-l", place], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def processes(self):
        """The daemon and its helpers, without the containers' own processes."""
        found = []
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read()
            except (OSError, ValueError):
                continue
            if name.isdigit() and int(name) != os.getpid() and self.home.encode() in words:
                found.append(int(name))
        return found

    def private_bytes(self):
        """Private memory of the daemon and its helpers."""
        total = 0
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
            except OSError:
                pass
        return total * 1024

    def cpu_seconds(self):
        """Processor time used so far by the daemon and its helpers."""
        ticks = 0
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    # Images.

    def import_image(self, archive):
        name, tag = IMAGE.split(":")
        with open(archive, "rb") as file:
            self.request("POST", f"/images/create?fromSrc=-&repo={name}&tag={tag}", raw=file.read())

    # The swarm.

    def init(self):
        self.post("/swarm/init", {"AdvertiseAddr": "127.0.0.1", "ListenAddr": "127.0.0.1:2377"})

    def create(self, name, replicas, **task):
        container = {"Image": IMAGE, "Command": ["sleep", "1000000"], "StopSignal": "SIGKILL"}
        update = task.pop("UpdateConfig", None)
        spec = {
            "Name": name,
            "TaskTemplate": {"ContainerSpec": container, **task},
            "Mode": {"Replicated": {"Replicas": replicas}},
        }
        if update:
            spec["UpdateConfig"] = update
        return self.post("/services/create", spec)["ID"]

    def running(self, service):
        tasks = self.get("/tasks", service=[service], **{"desired-state": ["running"]})
        return [task for task in tasks if task["Status"]["State"] == "running"]

    def time_to_run(self, count, change, fits=lambda task: True):
        """Seconds from a change, which returns its service, until so many tasks run that fit, each in a container
        that starts after the change."""
        with self.starts() as starts:
            begin = time.monotonic()
            service = change()
            for _ in range(count):
                starts.readline()
            self.wait_running(service, count, fits)
            return service, time.monotonic() - begin

    def wait_running(self, service, count, fits=lambda task: True):
        """Waits until so many tasks run that fit."""
        deadline = time.monotonic() + 300
        while len([task for task in self.running(service) if fits(task)]) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: never {count} running tasks")
            time.sleep(0.005)

    def containers(self, service):
        return self.get("/containers/json", label=[f"com.docker.swarm.service.id={service}"])

    def remove(self, service):
        """Seconds until a removed service's containers are gone."""
        begin = time.monotonic()
        self.delete(f"/services/{service}")
        label = {"label": [f"com.docker.swarm.service.id={service}"]}
        query = urllib.parse.urlencode({"all": "1", "filters": json.dumps(label)})
        while self.request("GET", f"/containers/json?{query}"):
            if time.monotonic() - begin > 300:
                raise RuntimeError(f"{self.name}: containers never go")
            time.sleep(0.01)
        return time.monotonic() - begin
