"""Local servers that speak PagerDuty's, Slack's and a webhook's API, and can be told to fail in every way.

They remember as the real ones do: PagerDuty has an incident for a key while it is open, Slack a message for a stamp.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from voicetop.alerts.signals import Effect, Family, Reason, Tier

Json = dict[str, Any]
CERT = Path(__file__).parents[1] / "hub" / "localhost-cert.pem"


class Receiver:
    """`fails` are done one a request, before anything else: "500", "429 RETRY_AFTER", "reset", "silence", "400", …

    `fail_after` does the work first and then breaks the connection: the sender cannot know that it arrived.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, Json]] = []
        self.times: list[float] = []
        self.fails: list[str] = []
        self.chance: Callable[[], str] = lambda: ""
        self.opened: dict[str, int] = defaultdict(int)
        self.open: dict[str, Json] = {}
        self.acknowledged: set[str] = set()
        self.changes: list[Json] = []
        self.messages: dict[str, list[Json]] = {}
        self.authorization: list[str] = []
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self.url = ""

    def answer(self, path: str, body: Json, authorization: str) -> tuple[int, Json]:
        with self._lock:
            self.requests.append((path, body))
            self.times.append(time.monotonic())
            self.authorization.append(authorization)
            if path.endswith("/v2/enqueue"):
                return self._enqueue(body)
            if path.endswith("/v2/change/enqueue"):
                self.changes.append(body["payload"])
                return 202, {"status": "success", "message": "Change event processed"}
            if path.endswith(("chat.postMessage", "chat.update")):
                return self._slack(path, body)
            return 200, {"ok": True, "requestId": f"r{len(self.requests)}"}

    def next_failure(self) -> str:
        with self._lock:
            return self.fails.pop(0) if self.fails else self.chance()

    def _enqueue(self, body: Json) -> tuple[int, Json]:
        """https://developer.pagerduty.com/docs/send-alert-event: a trigger for an open key is the same incident."""
        action, key = body["event_action"], body["dedup_key"]
        if action == "trigger":
            if key not in self.open:
                self.opened[key] += 1
            self.open[key] = body["payload"]
        elif action == "acknowledge":
            self.acknowledged.add(key)
        else:
            self.open.pop(key, None)
        return 202, {"status": "success", "message": "Event processed", "dedup_key": key}

    def _slack(self, path: str, body: Json) -> tuple[int, Json]:
        if path.endswith("chat.update"):
            if body["ts"] not in self.messages:
                return 200, {"ok": False, "error": "message_not_found"}
            self.messages[body["ts"]].append(body)
            return 200, {"ok": True, "channel": "C1", "ts": body["ts"]}
        stamp = f"1700000000.{len(self.messages):06d}"
        self.messages[stamp] = [body]
        return 200, {"ok": True, "channel": "C1", "ts": stamp}


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._do({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        text = self.rfile.read(length)
        if len(text) < length:
            self.close_connection = True  # the sender was killed between its headers and the end of its body
            return
        kind = self.headers.get("Content-Type", "")
        if "form" in kind:
            self._do({key: value[0] for key, value in parse_qs(text.decode()).items()})
        else:
            self._do(json.loads(text or b"{}"))

    def _do(self, body: Json) -> None:
        receiver = self.receiver
        failure = receiver.next_failure()
        if failure == "silence":
            receiver.ending.wait(60)
            self.close_connection = True
            return
        if failure == "reset":
            self._reset()
            return
        if failure.startswith("{"):
            self._say(200, json.loads(failure))
            return
        if failure and failure != "late reset":
            status, _, after = failure.partition(" ")
            told = {
                "status": "invalid event",
                "message": "Event object is invalid",
                "errors": ["Invalid routing key"],
            }
            self._say(int(status), told if status == "400" else {}, after)
            return
        status_code, answer = receiver.answer(self.path, body, self.headers.get("Authorization", ""))
        if failure == "late reset":
            self._reset()
        else:
            self._say(status_code, answer)

    def _reset(self) -> None:
        """A connection that breaks: RST instead of an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _say(self, status: int, told: Json, retry_after: str = "") -> None:
        text = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERT, CERT.with_name("localhost-key.pem"))

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Encrypted on the connection's own thread, so that a slow handshake holds up nobody."""
        with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that was killed in the middle is no news."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port, by TLS: PagerDuty's library speaks to nobody else. SSL_CERT_FILE has to name CERT."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    server = _Server(("127.0.0.1", 0), handler)
    receiver.url = f"https://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ending.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def effect(
    reason: Reason = "fired",
    number: int = 1,
    *,
    tier: Tier = "critical",
    family: Family = "errors",
    at: float = 1_700_000_100.0,
    **fields: Any,
) -> Effect:
    """An effect of incident `number`."""
    told: Json = {
        "key": f"voicetop-{number}",
        "incident_id": f"i{number}",
        "rule": f"{family}.llm",
        "where": (("intent", "billing"),),
        "onset": 1_700_000_000.0,
        "summary": f"LLM errors 41 % (normal 0.4 %, n 312), incident {number}",
        "blame": "82 % in LLM · billing × es",
        **fields,
    }
    return Effect(reason=reason, tier=tier, family=family, at=at, **told)
