"""Files registered in place and replaced afterwards: no byte of another file is ever sent, and no request blocks."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.web.test_problems import problem
from tests.web.test_uploads import make_asset

from genlock.library.stamps import SETTLED_NS
from genlock.settings import Settings

WEIGHTS = bytes(range(256)) * 12_000
"""Three chunks."""
SECRET = b"gl_admin_token_of_somebody"
SLICE = {"Range": "bytes=2000000-2000015"}


@pytest.fixture
def root(settings: Settings, tmp_path: Path) -> Path:
    """Create a folder whose files may be registered, next to a file that may not."""
    root = tmp_path / "models"
    (root / "loras").mkdir(parents=True)
    (tmp_path / "admin.token").write_bytes(SECRET)
    object.__setattr__(settings, "register_roots", (root,))
    return root


async def register(client: httpx.AsyncClient, path: Path, *, is_settled: bool = True) -> str:
    """Register a file, and return the URL of its bytes; ``is_settled`` waits until its stamp is reliable."""
    path.write_bytes(WEIGHTS)
    if is_settled:
        wait_until_settled(path)
    url = f"/api/v1/assets/{await make_asset(client)}/versions"
    answer = await client.post(url, json={"path": str(path)})
    assert answer.status_code == 201, answer.text
    return f"{url}/1/content"


def wait_until_settled(path: Path) -> None:
    """Wait until a second write can no longer have the same times as the last."""
    while time.time_ns() - path.stat().st_ctime_ns <= SETTLED_NS:
        time.sleep(0.05)


def by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parents[2] / "admin.token")


def by_linked_folder(path: Path) -> None:
    outside = path.parents[2] / "outside"
    outside.mkdir()
    (outside / path.name).write_bytes(WEIGHTS)
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(outside)


def by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def by_other_bytes(path: Path) -> None:
    path.write_bytes(WEIGHTS[::-1])


def by_hard_link(path: Path) -> None:
    """Replace the file by a hard link to another of the same size, since a different size shows at once."""
    other = path.parents[2] / "other"
    other.write_bytes(WEIGHTS[::-1])
    path.unlink()
    path.hardlink_to(other)


@pytest.mark.parametrize("headers", [SLICE, {}], ids=["range", "whole"])
@pytest.mark.parametrize("replace", [by_link, by_linked_folder, by_pipe, by_folder, by_other_bytes, by_hard_link])
async def test_a_replaced_file_is_refused_and_none_of_its_bytes_are_sent(
    client: httpx.AsyncClient, root: Path, replace: Callable[[Path], None], headers: dict[str, str]
) -> None:
    path = root / "loras" / "rain.bin"
    url = await register(client, path, is_settled=False)
    replace(path)
    problem(await client.get(url, headers=headers), 409, "tampered")


async def test_ranges_of_an_unchanged_file_are_sent(client: httpx.AsyncClient, root: Path) -> None:
    path = root / "loras" / "rain.bin"
    url = await register(client, path)
    answer = await client.get(url, headers=SLICE)
    assert (answer.status_code, answer.content) == (206, WEIGHTS[2_000_000:2_000_016])
    # Its bytes are the same under another stamp: they are read once, then ranges are sent again.
    path.unlink()
    path.write_bytes(WEIGHTS)
    wait_until_settled(path)
    answer = await client.get(url, headers=SLICE)
    assert (answer.status_code, answer.content) == (206, WEIGHTS[2_000_000:2_000_016])


async def test_a_file_written_a_moment_ago_is_sent_whole(client: httpx.AsyncClient, root: Path) -> None:
    """A second write within a tick of the clock leaves the stamp unchanged, so a range of it could not be trusted."""
    path = root / "loras" / "rain.bin"
    url = await register(client, path, is_settled=False)
    path.write_bytes(WEIGHTS)
    answer = await client.get(url, headers=SLICE)
    assert (answer.status_code, answer.content == WEIGHTS) == (200, True)


async def test_a_folder_that_is_no_longer_configured_is_not_read(
    client: httpx.AsyncClient, root: Path, settings: Settings
) -> None:
    url = await register(client, root / "loras" / "rain.bin", is_settled=False)
    object.__setattr__(settings, "register_roots", ())
    problem(await client.get(url), 403, "outside_roots")
