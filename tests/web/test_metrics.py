"""The metrics describe requests by route, the queue, the database pool and the workers, in Prometheus' format."""

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from genlock.db.connection import Database, execute
from genlock.web.metrics import MEDIA_TYPE, RequestMetrics


async def samples(client: httpx.AsyncClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample by its name and the values of its labels, in the order of the labels' names."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == MEDIA_TYPE
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_requests_are_counted_and_timed_by_route(client: httpx.AsyncClient) -> None:
    await client.get("/api/v1/me")
    for project_id in (1, 2):
        await client.get(f"/api/v1/projects/{project_id}")
    await client.get("/api/v1/nothing")
    values = await samples(client)
    assert values["genlock_requests_total", ("GET", "/api/v1/me", "200")] == 1
    assert values["genlock_requests_total", ("GET", "/api/v1/projects/{project_id}", "404")] == 2
    assert values["genlock_requests_total", ("GET", "none", "404")] == 1
    assert values["genlock_request_seconds_count", ("GET", "/api/v1/projects/{project_id}")] == 2
    assert values["genlock_request_seconds_bucket", ("+Inf", "GET", "/api/v1/me")] == 1
    assert values["genlock_requests_active", ()] == 1
    assert not any(name.endswith("_created") for name, _ in values)


async def test_bodies_are_counted_in_both_directions(client: httpx.AsyncClient) -> None:
    before = await samples(client)
    sent = b'{"slug":"a","name":"A"}'
    answer = await client.post("/api/v1/projects", content=sent, headers={"Content-Type": "application/json"})
    after = await samples(client)
    bytes_in, bytes_out = (
        after["genlock_body_bytes_total", (direction,)] - before["genlock_body_bytes_total", (direction,)]
        for direction in ("in", "out")
    )
    assert bytes_in == len(sent)
    assert bytes_out > len(answer.content)


async def test_the_queue_and_the_workers_are_counted(client: httpx.AsyncClient, db: Database) -> None:
    values = await samples(client)
    assert {values["genlock_steps", (state,)] for state in ("waiting", "queued", "running")} == {0}
    assert (values["genlock_workers", ("alive",)], values["genlock_workers", ("silent",)]) == (0, 0)
    asset = (await client.post("/api/v1/assets", json={"kind": "lora", "name": "rain"})).json()["id"]
    async with db.transaction() as conn:
        await execute(
            conn,
            """
            INSERT INTO workers (name, engines, seen_at)
            VALUES ('a', '{sketch}', now()), ('b', '{sketch}', now()), ('c', '{sketch}', now() - interval '1 hour')
            """,
        )
        await execute(
            conn,
            """
            INSERT INTO plans (state, selection, created_by)
            VALUES ('running', '{}', 'ada'), ('draft', '{}', 'ada')
            """,
        )
        await execute(
            conn,
            """
            INSERT INTO plan_steps (plan_id, position, chain, asset_id, kind, state)
            SELECT p.id, s.position, 1, %(asset)s, 'blocked', s.state
              FROM plans p,
                   unnest('{running,queued,waiting,waiting,failed}'::text[]) WITH ORDINALITY s (state, position)
            """,
            asset=asset,
        )
    values = await samples(client)
    assert [values["genlock_steps", (state,)] for state in ("waiting", "queued", "running")] == [2, 1, 1]
    assert (values["genlock_workers", ("alive",)], values["genlock_workers", ("silent",)]) == (2, 1)


async def test_the_database_pool_is_described(client: httpx.AsyncClient) -> None:
    values = await samples(client)
    assert values["genlock_database_connections_max", ()] == 10
    assert values["genlock_database_connections", ("idle",)] + values["genlock_database_connections", ("used",)] >= 1
    assert values["genlock_database_waiting", ()] == 0
    assert values["genlock_database_requests_total", ()] > 0
    assert ("genlock_database_errors_total", ()) in values


async def test_a_request_that_fails_is_counted_and_no_longer_active() -> None:
    metrics = RequestMetrics()

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        assert metrics.active == 1
        assert metrics.idle_s() == 0
        raise RuntimeError

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None: ...

    scope: Scope = {"type": "http", "method": "GET", "path": "/api/v1/me"}
    try:
        await metrics.measure(failing, scope, receive, send)
    except RuntimeError:
        assert metrics.active == 0
        assert (
            metrics.registry.get_sample_value(
                "genlock_requests_total", {"method": "GET", "route": "none", "status": "500"}
            )
            == 1
        )
    else:
        raise AssertionError("the error did not come through")
