"""Counts what passes through the door, and says it in Prometheus' text format."""

import time
from bisect import bisect_left
from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Watch:
    """The outermost layer of the application: times requests, counts answers, knows when the last one was."""

    def __init__(self) -> None:
        self.active = 0
        self.last_s = time.monotonic()
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._durations = [0] * (len(_BUCKETS_S) + 1)
        self._duration_sum_s = 0.0
        self._bytes_in = self._bytes_out = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        """``app``, watched."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            await self._watch(app, scope, receive, send)

        return watched

    def idle_s(self) -> float:
        """For how many seconds nobody has asked anything; 0 while a request is being answered."""
        return 0.0 if self.active else time.monotonic() - self.last_s

    def touch(self) -> None:
        """Count the time without a request from now on."""
        self.last_s = time.monotonic()

    async def _watch(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500

        async def counting_receive() -> Message:
            message = await receive()
            self._bytes_in += len(message.get("body", b""))
            return message

        async def counting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_missing(message)]
            self._bytes_out += len(message.get("body", b""))
            await send(message)

        started_s = time.monotonic()
        self.active += 1
        try:
            await app(scope, counting_receive, counting_send)
        finally:
            self.active -= 1
            self.last_s = time.monotonic()
            duration_s = self.last_s - started_s
            self._durations[bisect_left(_BUCKETS_S, duration_s)] += 1
            self._duration_sum_s += duration_s
            route = scope.get("route")
            self._answers[scope["method"], getattr(route, "path", "none"), status] += 1

    def text(self) -> str:
        """Everything that was counted (Prometheus text format 0.0.4)."""
        lines = [
            "# HELP genlock_requests_total Requests answered, by method, route and status.",
            "# TYPE genlock_requests_total counter",
        ]
        lines += [
            f'genlock_requests_total{{method="{_quoted(method)}",route="{_quoted(route)}",status="{status}"}} {count}'
            for (method, route, status), count in sorted(self._answers.items())
        ]
        lines += [
            "# HELP genlock_request_seconds How long requests took.",
            "# TYPE genlock_request_seconds histogram",
        ]
        total = 0
        for edge, count in zip((*map(str, _BUCKETS_S), "+Inf"), self._durations, strict=True):
            total += count
            lines.append(f'genlock_request_seconds_bucket{{le="{edge}"}} {total}')
        lines += [
            f"genlock_request_seconds_sum {self._duration_sum_s:.6f}",
            f"genlock_request_seconds_count {total}",
            "# HELP genlock_requests_active Requests being answered now.",
            "# TYPE genlock_requests_active gauge",
            f"genlock_requests_active {self.active}",
            "# HELP genlock_body_bytes_total Bytes of bodies.",
            "# TYPE genlock_body_bytes_total counter",
            f'genlock_body_bytes_total{{direction="in"}} {self._bytes_in}',
            f'genlock_body_bytes_total{{direction="out"}} {self._bytes_out}',
        ]
        return "\n".join(lines) + "\n"


def _missing(message: Message) -> list[tuple[bytes, bytes]]:
    there = {name.lower() for name, _ in message.get("headers", ())}
    wanted = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
    return [(name, value) for name, value in wanted if name not in there]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
