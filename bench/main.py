"""Measures skepd beside dockerd, in turn, and prints the table of ratios."""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from engine import Engine
from load import creates_per_second

# name, unit, whether more is better, and the bar: skepd's figure as a part of dockerd's.
FIGURES = {
    "init": ("swarm init", "s", False, 1 / 8),
    "one": ("one task, create to running", "s", False, 1 / 8),
    "hundred": ("100 tasks, create to all running", "tasks/s", True, 12),
    "remove": ("remove 100 tasks, all gone", "s", False, 1 / 10),
    "recover": ("kill -9 a container, replacement running", "s", False, 1 / 8),
    "update": ("update 20 replicas, 5 at once", "s", False, 1 / 12),
    "restart": ("restart with 50 tasks, API answers", "s", False, None),
    "disturbed": ("restart with 50 tasks, their processes that ended", "processes", False, None),
    "loaded": ("private memory, 100 tasks", "MiB", False, 1 / 8),
    "idle": ("private memory, idle in swarm mode", "MiB", False, 1 / 2),
    "creates1": ("durable service creates, 1 client", "per s", True, 2),
    "creates16": ("durable service creates, 16 clients", "per s", True, 6),
    "cpu": ("idle CPU with 100 tasks", "% of a core", False, 1),
}

# Seconds before each measurement. A file system that has just lost many files can be slow at making new ones (ext4
# without a journal spares their inodes for a minute): nobody shall pay for whoever was measured before.
REST = 75


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--skepd", required=True, help="the daemon to measure")
    words.add_argument("--dockerd", default="dockerd", help="the daemon to measure it against")
    words.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    words.add_argument("--only", choices=["skepd", "dockerd"], help="measure one of the two")
    options = words.parse_args()
    engines = {"dockerd": (options.dockerd, []), "skepd": (options.skepd, [])}
    if options.only:
        engines = {options.only: engines[options.only]}
    with tempfile.TemporaryDirectory() as folder:
        archive = image_archive(folder)
        samples = {name: {key: [] for key in FIGURES} for name in engines}
        for round_number in range(options.rounds):
            for name, (program, extra) in engines.items():
                print(f"round {round_number + 1} of {options.rounds}: {name}", file=sys.stderr, flush=True)
                time.sleep(REST)
                for key, value in measure(Engine(name, program, extra), archive).items():
                    samples[name][key].append(value)
    show(samples)


def image_archive(folder):
    """A root file system with a static busybox, as a tar."""
    root = f"{folder}/root"
    os.makedirs(f"{root}/bin")
    subprocess.run(["cp", "/bin/busybox", f"{root}/bin/busybox"], check=True)
    for name in ("sh", "sleep"):
        os.symlink("busybox", f"{root}/bin/{name}")
    subprocess.run(["tar", "-C", root, "-cf", f"{folder}/image.tar", "."], check=True)
    return f"{folder}/image.tar"


def measure(engine, archive):
    """All figures of one daemon, on a fresh data root."""
    figures = {}
    try:
        engine.start()
        engine.import_image(archive)
        begin = time.monotonic()
        engine.init()
        figures["init"] = time.monotonic() - begin
        time.sleep(2)
        figures["idle"] = engine.private_bytes() / 2**20
        measure_tasks(engine, figures)
        measure_healing(engine, figures)
        figures["creates1"] = creates_per_second(engine.socket, 1, 500, "one")
        figures["creates16"] = creates_per_second(engine.socket, 16, 2000, "many")
    finally:
        engine.clean_up()
    return figures


def measure_tasks(engine, figures):
    service, figures["one"] = engine.time_to_run(1, lambda: engine.create("single", 1))
    engine.remove(service)
    service, seconds = engine.time_to_run(100, lambda: engine.create("hundred", 100))
    figures["hundred"] = 100 / seconds
    time.sleep(2)
    figures["loaded"] = engine.private_bytes() / 2**20
    before, begin = engine.cpu_seconds(), time.monotonic()
    time.sleep(5)
    figures["cpu"] = (engine.cpu_seconds() - before) / (time.monotonic() - begin) * 100
    figures["remove"] = engine.remove(service)


def measure_healing(engine, figures):
    service = engine.create("healing", 1, RestartPolicy={"Condition": "any", "Delay": 0})
    engine.wait_running(service, 1)
    old = engine.running(service)[0]
    container = old["Status"]["ContainerStatus"]["ContainerID"]
    victim = engine.get(f"/containers/{container}/json")["State"]["Pid"]

    def kill():
        os.kill(victim, signal.SIGKILL)
        return service

    _, figures["recover"] = engine.time_to_run(1, kill, lambda task: task["ID"] != old["ID"])
    engine.remove(service)

    policy = {"Parallelism": 5, "Monitor": 1_000_000_000, "Order": "stop-first"}
    service = engine.create("updating", 20, UpdateConfig=policy)
    engine.wait_running(service, 20)
    current = engine.get(f"/services/{service}")
    spec = current["Spec"]
    spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["NEW=1"]

    def update():
        engine.post(f"/services/{service}/update?version={current['Version']['Index']}", spec)
        return service

    _, figures["update"] = engine.time_to_run(20, update, lambda task: task["Spec"]["ContainerSpec"].get("Env") == ["NEW=1"])
    engine.remove(service)

    service = engine.create("staying", 50)
    engine.wait_running(service, 50)
    containers = [engine.get(f"/containers/{container['Id']}/json") for container in engine.containers(service)]
    engine.kill()
    figures["restart"] = engine.start()
    pids = [container["State"]["Pid"] for container in containers]
    figures["disturbed"] = len([pid for pid in pids if not os.path.exists(f"/proc/{pid}")])
    engine.wait_running(service, 50)
    engine.remove(service)


def show(samples):
    """The table, as Markdown."""
    print(f"| what | unit | {' | '.join(samples)} | ratio | bar |")
    print(f"|---|---|{'---|' * len(samples)}---|---|")
    for key, (what, unit, _, bar) in FIGURES.items():
        medians = [statistics.median(figures[key]) for figures in samples.values() if figures[key]]
        cells = [f"{median:.3g}" for median in medians]
        ratio = f"{medians[1] / medians[0]:.3g}" if len(medians) == 2 and medians[0] else ""
        print(f"| {what} | {unit} | {' | '.join(cells)} | {ratio} | {'' if bar is None else f'{bar:.3g}'} |")


if __name__ == "__main__":
    main()
