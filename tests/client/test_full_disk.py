"""A disk without room for an upload: one clear error, and the same upload works as soon as there is room."""

import resource
from pathlib import Path

import pytest
from tests.client.served import served
from tests.fixtures_postgres import fresh_database

from genlock.client import Genlock
from genlock.errors import Unavailable
from genlock.model import Kind

ROOM_BYTES = 5_000_000


def test_a_full_disk_is_one_error_and_the_upload_works_when_there_is_room(
    postgres: str, template: str, tmp_path: Path
) -> None:
    """Cause the kernel's own refusal with a limit on the size of the files that the server process writes."""
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(2 * ROOM_BYTES))
    messages: list[str] = []
    with (
        fresh_database(postgres, template) as database,
        served(tmp_path / "data", database) as server,
        Genlock(server.url, server.token, on_progress=messages.append) as gl,
    ):
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, most))
        with pytest.raises(Unavailable) as refused, gl.asset_for_upload(Kind.OTHER, "large") as asset:
            gl.add_version(asset, large)
        assert (refused.value.code, messages) == ("disk_full", [])
        assert "Free space" in (refused.value.hint or "")
        assert list(gl.assets(kind=Kind.OTHER)) == []
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
        with gl.asset_for_upload(Kind.OTHER, "large") as asset:
            assert gl.add_version(asset, large).version.size_bytes == 2 * ROOM_BYTES
