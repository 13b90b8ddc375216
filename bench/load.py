"""Many clients at once, each with its next request ready: requests per second over a unix socket."""

import json
import selectors
import socket
import time


def creates_per_second(path, clients, count, prefix):
    """Creates `count` services without replicas over `clients` connections; returns creates per second."""
    return _per_second(path, clients, [_create(f"{prefix}{number}") for number in range(count)])


def reads_per_second(path, clients, count):
    """Lists the services `count` times over `clients` connections; returns lists per second."""
    return _per_second(path, clients, [_LIST] * count)


def _per_second(path, clients, all_requests):
    requests, count = iter(all_requests), len(all_requests)
    selector = selectors.DefaultSelector()
    begin = time.monotonic()
    for _ in range(clients):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(path)
        connection.sendall(next(requests))
        selector.register(connection, selectors.EVENT_READ, bytearray())
    done = 0
    while done < count:
        for key, _ in selector.select(30):
            received = key.fileobj.recv(65536)
            if not received:
                raise RuntimeError("the daemon closed a connection")
            key.data.extend(received)
            if not _is_whole(key.data):
                continue
            if b" 20" not in key.data[:20]:
                raise RuntimeError(bytes(key.data[:400]))
            key.data.clear()
            done += 1
            request = next(requests, None)
            if request:
                key.fileobj.sendall(request)
    seconds = time.monotonic() - begin
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return count / seconds


_LIST = b"GET /v1.41/services HTTP/1.1\r\nHost: x\r\n\r\n"


def _create(name):
    spec = {
        "Name": name,
        "TaskTemplate": {"ContainerSpec": {"Image": "busybox:bench", "Command": ["sleep", "1000000"]}},
        "Mode": {"Replicated": {"Replicas": 0}},
    }
    body = json.dumps(spec).encode()
    head = f"POST /v1.41/services/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _is_whole(answer):
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    if b"transfer-encoding: chunked" in head:
        return answer.endswith(b"0\r\n\r\n")
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return len(answer) >= end + 4 + length
