"""The Engine API of one daemon, spoken with over its unix socket."""

import http.client
import json
import socket
import urllib.parse


class _Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _query(filters):
    return "?" + urllib.parse.urlencode({"filters": json.dumps(filters)}) if filters else ""


class Api:
    """The way to one daemon; it has a name for messages."""

    def __init__(self, name, path, timeout=120):
        self.name, self.socket, self.timeout = name, path, timeout
        self._connection = None

    def forget_connection(self):
        if self._connection:
            self._connection.close()
        self._connection = None

    def request(self, method, path, body=None, raw=None):
        if self._connection is None:
            self._connection = _Connection(self.socket, self.timeout)
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        kind = "application/x-tar" if raw is not None else "application/json"
        try:
            self._connection.request(method, f"/v1.41{path}", data, {"Content-Type": kind} if data else {})
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self.forget_connection()
            raise
        if response.status >= 400:
            raise RuntimeError(f"{self.name}: {method} {path}: {response.status} {text[:300]!r}")
        try:
            return json.loads(text) if text else None
        except ValueError:
            return text

    def get(self, path, **filters):
        return self.request("GET", path + _query(filters))

    def starts(self):
        """The containers that start from now on, one a line; told by the daemon, so that nobody need ask it while it
        has work to do."""
        connection = _Connection(self.socket, self.timeout)
        connection.request("GET", "/v1.41/events" + _query({"type": ["container"], "event": ["start"]}))
        return connection.getresponse()

    def post(self, path, body=None):
        return self.request("POST", path, body)

    def delete(self, path):
        return self.request("DELETE", path)
