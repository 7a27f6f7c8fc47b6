"""Fixtures of the tests of captured runs."""

import httpx
import pytest


@pytest.fixture
async def rooftop(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Create a project with one scene of three segments."""
    await client.post("/api/v1/projects", json={"slug": "rooftop", "name": "Rooftop"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "night"})
    await client.post("/api/v1/scenes/1/segments", json={"count": 3, "chained": False})
    return client
