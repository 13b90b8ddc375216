"""Measures swarms of three managers and a worker, skepd's beside dockerd's, in turn, and prints the table of ratios."""

import argparse
import http.client
import json
import statistics
import sys
import threading
import time
import urllib.parse

from lab import IMAGE, Lab
from load import creates_per_second, reads_per_second

MANAGERS, WORKER = ("a", "b", "c"), "d"
# What a broken connection or a daemon without a leader ends with.
FAULTS = (OSError, RuntimeError, http.client.HTTPException)
# name, unit, bar in words, and how samples become one figure.
FIGURES = {
    "join": ("join of a third manager, command to ready and reachable", "s", "at most 1/4", "median"),
    "kill": ("kill -9 the leader, another manager accepts a write", "s", "at most 1 s", "p95"),
    "cut": ("the leader's cable is cut, the same", "s", "at most 1.5 s", "p95"),
    "down5": ("worker killed and cut, heartbeat 5 s: shown down", "s", "at most 13 s", "median"),
    "moved5": ("the same: replaced elsewhere", "s", "at most 14 s", "median"),
    "down1": ("worker killed and cut, heartbeat 1 s: shown down", "s", "at most 3.0 s", "median"),
    "moved1": ("the same: replaced elsewhere", "s", "at most 3.6 s", "median"),
    "creates1": ("durable service creates, three managers, 1 client", "per s", "at least 2 times", "median"),
    "creates16": ("durable service creates, three managers, 16 clients", "per s", "at least 12 times", "median"),
    "reads": ("lists of ten services through a follower, 1 client", "per s", "at least 4 times", "median"),
    "lost": ("acknowledged writes not shown, over all leader kills under load", "writes", "0", "sum"),
}


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--lab", required=True, help="the program skep-lab, with skepd beside it")
    words.add_argument("--kills", type=int, default=20, help="how often a leader of skepd is killed, and cut off")
    words.add_argument("--stock-kills", type=int, default=3, help="the same for dockerd, which takes its time")
    words.add_argument("--loaded-kills", type=int, default=100, help="how often skepd's leader is killed under load")
    words.add_argument("--rounds", type=int, default=3, help="how often everything else is measured")
    words.add_argument("--only", choices=["skepd", "dockerd"], help="measure one of the two")
    options = words.parse_args()
    samples = {}
    for make in [options.only] if options.only else ["dockerd", "skepd"]:
        samples[make] = {key: [] for key in FIGURES}
        with Lab(options.lab, make, 4) as lab:
            measure(Swarm(lab), samples[make], options)
    show(samples)


class Swarm:
    """Three managers; the worker joins when it is wanted."""

    def __init__(self, lab):
        self.lab = lab
        self.api = {name: lab.api(name) for name in lab.sockets}
        own = lab.addresses["a"]
        self.api["a"].post("/swarm/init", {"AdvertiseAddr": own, "ListenAddr": "0.0.0.0:2377"})
        self.tokens = self.api["a"].get("/swarm")["JoinTokens"]
        self.join("b", "Manager")

    def join(self, name, role):
        """Seconds until a host is in; a manager also until it is reachable."""
        own, remote = self.lab.addresses[name], f"{self.lab.addresses['a']}:2377"
        begin = time.monotonic()
        wish = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": own, "RemoteAddrs": [remote]}
        self.api[name].post("/swarm/join", {**wish, "JoinToken": self.tokens[role]})
        self.wait("a", lambda api: self.is_in(api, name, role == "Manager"))
        return time.monotonic() - begin

    def is_in(self, api, name, as_manager):
        node = self.node(api, name)
        reachability = (node.get("ManagerStatus") or {}).get("Reachability")
        return node.get("Status", {}).get("State") == "ready" and (reachability == "reachable") == as_manager

    def node(self, api, name):
        """The node of a host that is not down for good; nothing if there is none."""
        nodes = [node for node in api.get("/nodes") if node["Description"].get("Hostname") == name]
        return max(nodes, key=lambda node: node["Version"]["Index"], default={})

    def wait(self, name, fits, patience=120):
        """Asks a host again until the answer fits; what cannot be asked does not fit."""
        begin = time.monotonic()
        while time.monotonic() - begin < patience:
            try:
                if fits(self.api[name]):
                    return
            except FAULTS:
                pass
            time.sleep(0.01)
        raise RuntimeError(f"{self.lab.make}: waited too long, asking {name}")

    def leader(self):
        """The name of the leader, as any manager knows it."""
        while True:
            for name in MANAGERS:
                try:
                    nodes = self.api[name].get("/nodes")
                except FAULTS:
                    continue
                for node in nodes:
                    if (node.get("ManagerStatus") or {}).get("Leader"):
                        return node["Description"]["Hostname"]
            time.sleep(0.01)

    def remove_services(self):
        api = self.api[self.leader()]
        while services := api.get("/services"):
            for service in services:
                try:
                    api.delete(f"/services/{service['ID']}")
                except FAULTS:
                    # It may be gone already: this manager's view may lag behind.
                    pass

    def update_node(self, name, **changes):
        api = self.api["a"]
        node = self.node(api, name)
        spec = {**node["Spec"], **changes}
        api.post(f"/nodes/{node['ID']}/update?version={node['Version']['Index']}", spec)


def measure(swarm, samples, options):
    is_ours = swarm.lab.make == "skepd"
    step(swarm, "joining")
    for _ in range(options.rounds):
        samples["join"].append(swarm.join("c", "Manager"))
        dismiss(swarm, "c")
    swarm.join("c", "Manager")
    step(swarm, "writing and reading")
    for number in range(options.rounds):
        measure_load(swarm, samples, number)
    kills = options.kills if is_ours else options.stock_kills
    for key, harm, mend in (("kill", "kill", "start"), ("cut", "cut", "mend")):
        step(swarm, f"{kills} leaders: {harm}")
        samples[key] = [lose_leader(swarm, harm, mend, f"{key}{number}") for number in range(kills)]
    if is_ours and options.loaded_kills:
        step(swarm, f"{options.loaded_kills} leaders killed under load")
        samples["lost"].append(lose_leaders_under_load(swarm, options.loaded_kills))
    step(swarm, "workers")
    swarm.join(WORKER, "Worker")
    for seconds in (5, 1):
        set_heartbeat(swarm, seconds)
        for _ in range(options.rounds):
            down, moved = lose_worker(swarm)
            samples[f"down{seconds}"].append(down)
            samples[f"moved{seconds}"].append(moved)


def step(swarm, what):
    print(f"{swarm.lab.make}: {what}", file=sys.stderr, flush=True)


def dismiss(swarm, name):
    """Takes a manager out of the swarm."""
    swarm.update_node(name, Role="worker")
    swarm.wait("a", lambda api: not swarm.node(api, name).get("ManagerStatus"))
    id = swarm.node(swarm.api["a"], name)["ID"]
    swarm.wait(name, lambda api: not api.get("/info")["Swarm"]["ControlAvailable"])
    swarm.api[name].post("/swarm/leave?force=1")
    swarm.wait("a", lambda api: swarm.node(api, name)["Status"]["State"] == "down")
    swarm.api["a"].delete(f"/nodes/{id}?force=1")


def measure_load(swarm, samples, number):
    leader = swarm.leader()
    path = swarm.lab.sockets[leader]
    samples["creates1"].append(creates_per_second(path, 1, 500, f"one{number}-"))
    samples["creates16"].append(creates_per_second(path, 16, 2000, f"many{number}-"))
    swarm.remove_services()
    creates_per_second(path, 1, 10, f"few{number}-")
    follower = next(name for name in MANAGERS if name != leader)
    swarm.wait(follower, lambda api: len(api.get("/services")) == 10)
    samples["reads"].append(reads_per_second(swarm.lab.sockets[follower], 1, 5000))
    swarm.remove_services()


def empty_service(name):
    task = {"ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "1000000"]}}
    return {"Name": name, "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": 0}}}


def lose_leader(swarm, harm, mend, prefix):
    """Seconds from the harm to the leader until another manager accepts a write."""
    leader = swarm.leader()
    accepted, others = threading.Event(), [name for name in MANAGERS if name != leader]
    times = []

    def try_writing(name, thread):
        number = 0
        while not accepted.is_set():
            number += 1
            try:
                swarm.lab.api(name, 40).post("/services/create", empty_service(f"{prefix}-{name}{thread}-{number}"))
                times.append(time.monotonic())
                accepted.set()
            except FAULTS:
                time.sleep(0.02)

    begin = time.monotonic()
    swarm.lab.say(f"{harm} {leader}")
    threads = [threading.Thread(target=try_writing, args=(name, n)) for name in others for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    swarm.lab.say(f"{mend} {leader}")
    swarm.api[leader].forget_connection()
    swarm.wait(others[0], lambda api: swarm.is_in(api, leader, True))
    swarm.wait(leader, lambda api: swarm.is_in(api, leader, True))
    swarm.remove_services()
    return min(times) - begin


def lose_leaders_under_load(swarm, kills):
    """Writes that were acknowledged and that some manager does not show: asked at once, also right after its restart."""
    written, stop, lost = set(), threading.Event(), 0

    def keep_writing(writer):
        number = 0
        while not stop.is_set():
            number += 1
            name = f"load{writer}-{number}"
            manager = MANAGERS[(writer + number // 50) % len(MANAGERS)]
            try:
                swarm.lab.api(manager, 20).post("/configs/create", {"Name": name, "Data": "YQ=="})
                written.add(name)
            except FAULTS:
                time.sleep(0.02)

    threads = [threading.Thread(target=keep_writing, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        leader, before = swarm.leader(), len(written)
        while len(written) < before + 20:
            time.sleep(0.01)
        swarm.lab.say(f"kill {leader}")
        other = next(name for name in MANAGERS if name != leader)
        before = len(written)
        while len(written) < before + 20:
            time.sleep(0.01)
        swarm.lab.say(f"start {leader}")
        swarm.api[leader].forget_connection()
        before = set(written)
        lost = max(lost, shown_without(swarm, leader, before))
        swarm.wait(other, lambda api, leader=leader: swarm.is_in(api, leader, True))
    stop.set()
    for thread in threads:
        thread.join()
    print(f"{swarm.lab.make}: {len(written)} writes were acknowledged", file=sys.stderr, flush=True)
    return max(lost, *(missing(swarm.api[name], written) for name in MANAGERS))


def shown_without(swarm, name, written):
    """How many of these writes the first list lacks that this manager shows."""
    answers = []

    def list_once(api):
        answers.append(missing(api, written))
        return True

    swarm.wait(name, list_once)
    return answers[0]


def missing(api, written):
    """How many of the written configs a manager does not show."""
    return len(written - {config["Spec"]["Name"] for config in api.get("/configs")})


def set_heartbeat(swarm, seconds):
    api = swarm.api["a"]
    cluster = api.get("/swarm")
    spec = cluster["Spec"]
    spec.setdefault("Dispatcher", {})["HeartbeatPeriod"] = seconds * 1_000_000_000
    api.post(f"/swarm/update?version={cluster['Version']['Index']}", spec)
    # The period that was told before is still waited for once.
    time.sleep(11)


def lose_worker(swarm):
    """Seconds from a worker's loss until it is shown down, and until all its tasks run elsewhere."""
    leader = swarm.leader()
    api = swarm.api[leader]
    task = {
        "ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "1000000"], "StopSignal": "SIGKILL"},
        "RestartPolicy": {"Condition": "any", "Delay": 0},
    }
    spec = {"Name": "spread", "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": 8}}}
    service = api.post("/services/create", spec)["ID"]
    filters = urllib.parse.quote(json.dumps({"service": [service], "desired-state": ["running"]}))
    lost = swarm.node(api, WORKER)["ID"]

    def running(elsewhere):
        tasks = api.get(f"/tasks?filters={filters}")
        fits = lambda task: task["Status"]["State"] == "running" and not (elsewhere and task["NodeID"] == lost)
        return len([task for task in tasks if fits(task)])

    swarm.wait(leader, lambda _: running(False) == 8)
    begin = time.monotonic()
    swarm.lab.say(f"cut {WORKER}")
    swarm.lab.say(f"kill {WORKER}")
    down = moved = None
    while moved is None:
        now = time.monotonic() - begin
        if down is None and swarm.node(api, WORKER)["Status"]["State"] == "down":
            down = now
        if running(True) >= 8:
            moved = now
        time.sleep(0.02)
    swarm.lab.say(f"mend {WORKER}")
    swarm.lab.say(f"start {WORKER}")
    swarm.api[WORKER].forget_connection()
    swarm.wait("a", lambda api: swarm.is_in(api, WORKER, False))
    api.delete(f"/services/{service}")
    swarm.wait(WORKER, lambda api: not api.get("/containers/json"))
    return down if down is not None else moved, moved


SUMMARIES = {
    "median": statistics.median,
    "p95": lambda values: sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)],
    "sum": sum,
}


def show(samples):
    """The table, as Markdown."""
    print(f"| what | unit | {' | '.join(samples)} | ratio | bar |")
    print(f"|---|---|{'---|' * len(samples)}---|---|")
    for key, (what, unit, bar, kind) in FIGURES.items():
        values = [SUMMARIES[kind](figures[key]) if figures[key] else None for figures in samples.values()]
        counts = [len(figures[key]) for figures in samples.values()]
        cells = [
            "" if value is None else f"{value:.3g}" + (f" (p95 of {count})" if kind == "p95" else "")
            for value, count in zip(values, counts)
        ]
        has_ratio = len(values) == 2 and None not in values and values[0]
        ratio = f"{values[1] / values[0]:.3g}" if has_ratio else ""
        print(f"| {what} | {unit} | {' | '.join(cells)} | {ratio} | {bar} |")


if __name__ == "__main__":
    main()
