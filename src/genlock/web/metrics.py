"""Metrics for Prometheus: requests by route, the queue, the database pool and the workers."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genlock.db.connection import Database
from genlock.regeneration import worker_sql
from genlock.web import metrics_sql

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DEFAULT_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_NO_ROUTE = "none"

disable_created_metrics()  # they would double the number of series


class RequestMetrics:
    """Counts and times requests as the outermost layer of the application, and tracks idle time."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.active = 0
        self.last_s = time.monotonic()
        self._requests = Counter(
            "genlock_requests",
            "Requests answered, by method, route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "genlock_request_seconds",
            "Duration of requests, by method and route.",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._body_bytes = Counter(
            "genlock_body_bytes", "Bytes of request and response bodies.", ("direction",), registry=self.registry
        )
        active = Gauge("genlock_requests_active", "Requests in progress.", registry=self.registry)
        active.set_function(lambda: self.active)
        self._bytes_in, self._bytes_out = (self._body_bytes.labels(direction) for direction in ("in", "out"))

    def idle_s(self) -> float:
        """Return the seconds since the last request ended; 0 while one is in progress."""
        return 0.0 if self.active else time.monotonic() - self.last_s

    def touch(self) -> None:
        """Restart the idle time."""
        self.last_s = time.monotonic()

    async def measure(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request to the application, and record its duration, status and bytes."""
        status = 500

        async def counting_receive() -> Message:
            message = await receive()
            self._bytes_in.inc(len(message.get("body", b"")))
            return message

        async def counting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_missing_headers(message)]
            self._bytes_out.inc(len(message.get("body", b"")))
            await send(message)

        started_s = time.monotonic()
        self.active += 1
        try:
            await app(scope, counting_receive, counting_send)
        finally:
            self.active -= 1
            self.last_s = time.monotonic()
            method, route = scope["method"], _route_template(scope)
            self._seconds.labels(method, route).observe(self.last_s - started_s)
            self._requests.labels(method, route, str(status)).inc()


class MetricsMiddleware:
    """Measures every HTTP request."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure an HTTP request; forward anything else."""
        if scope["type"] == "http":
            await self._metrics.measure(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)


@dataclass(frozen=True, eq=False)
class SystemState(Collector):
    """The metrics of a scrape that are not of requests: steps by state, workers, and database pool statistics."""

    steps: Mapping[str, int]
    workers_alive: int
    workers_silent: int
    pool: Mapping[str, int]

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this state."""
        steps = GaugeMetricFamily("genlock_steps", "Unfinished steps of plans, by state.", labels=["state"])
        for state, count in sorted(self.steps.items()):
            steps.add_metric([state], count)
        yield steps
        workers = GaugeMetricFamily("genlock_workers", "Workers of the last day, by state.", labels=["state"])
        workers.add_metric(["alive"], self.workers_alive)
        workers.add_metric(["silent"], self.workers_silent)
        yield workers
        size, idle = self.pool.get("pool_size", 0), self.pool.get("pool_available", 0)
        connections = GaugeMetricFamily("genlock_database_connections", "Pooled connections.", labels=["state"])
        connections.add_metric(["idle"], idle)
        connections.add_metric(["used"], size - idle)
        yield connections
        maximum = self.pool.get("pool_max", 0)
        yield GaugeMetricFamily("genlock_database_connections_max", "Largest size of the pool.", maximum)
        waiting = self.pool.get("requests_waiting", 0)
        yield GaugeMetricFamily("genlock_database_waiting", "Requests that wait for a connection.", waiting)
        for name, statistic, description in (
            ("genlock_database_requests", "requests_num", "Connections requested from the pool."),
            ("genlock_database_queued", "requests_queued", "Requests for a connection that had to wait."),
            ("genlock_database_errors", "requests_errors", "Requests for a connection that failed."),
        ):
            yield CounterMetricFamily(name, description, self.pool.get(statistic, 0))


async def read_state(db: Database) -> SystemState:
    """Return the state of queue, workers and pool."""
    async with db.transaction() as conn:
        steps = await metrics_sql.unfinished_steps(conn)
        workers = await worker_sql.list_workers(conn)
    alive = sum(worker.alive for worker in workers)
    return SystemState(steps=steps, workers_alive=alive, workers_silent=len(workers) - alive, pool=db.pool.get_stats())


def exposition(metrics: RequestMetrics, state: SystemState) -> bytes:
    """Return all metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(metrics.registry)
    registry.register(state)
    return generate_latest(registry)


def _route_template(scope: Scope) -> str:
    """Return the path of a request's route with its parameters' names, such as ``/api/v1/assets/{asset_id}``."""
    template = getattr(scope.get("route"), "path", None)
    if template is None:
        return _NO_ROUTE
    prefix = "/api/v1" if scope["path"].startswith("/api/v1/") else ""
    return template if template.startswith(prefix + "/") else prefix + template


def _missing_headers(message: Message) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in message.get("headers", ())}
    return [(name, value) for name, value in _DEFAULT_HEADERS if name not in present]
