"""Tokens grant access to whom they should, from when they should until when they should."""

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from genlock.access import sql
from genlock.access.actions import SYSTEM, authenticate, create_token, ensure_admin_token, revoke_token, secret_for_key
from genlock.access.model import NewToken
from genlock.db.connection import Conn, Database, rows
from genlock.errors import Denied, Invalid, NotFound
from genlock.model import Actor, Role
from genlock.timeline import actions as timeline
from genlock.timeline.model import NewProject


async def test_a_token_lets_its_holder_in(conn: Conn, actor: Actor) -> None:
    issued = await create_token(conn, NewToken(name="grace", role=Role.CREATOR), actor)
    holder = await authenticate(conn, issued.secret)
    assert holder == Actor(token_id=issued.id, name="grace", role=Role.CREATOR)
    assert issued.secret.startswith("gl_")
    assert len(issued.secret) >= 46


async def test_the_secret_is_nowhere_in_the_database(conn: Conn, actor: Actor) -> None:
    issued = await create_token(conn, NewToken(name="grace", role=Role.CREATOR), actor)
    stored = [str(row) for table in ("tokens", "events") for row in await _dump(conn, table)]
    assert stored
    assert not any(issued.secret in row or issued.secret.removeprefix("gl_") in row for row in stored)


async def test_a_revoked_token_is_refused_at_once(conn: Conn, actor: Actor) -> None:
    issued = await create_token(conn, NewToken(name="grace", role=Role.CREATOR), actor)
    revoked = await revoke_token(conn, issued.id, actor)
    assert revoked.revoked_at is not None
    assert await revoke_token(conn, issued.id, actor) == revoked
    with pytest.raises(Denied) as refused:
        await authenticate(conn, issued.secret)
    assert refused.value.http_status == 401


@pytest.mark.parametrize("secret", ["", "gl_", "gl_unknown", "\x00", "ü"])
async def test_what_nobody_was_given_lets_nobody_in(conn: Conn, secret: str) -> None:
    with pytest.raises(Denied):
        await authenticate(conn, secret)


async def test_revoking_nothing_is_not_found(conn: Conn, actor: Actor) -> None:
    with pytest.raises(NotFound):
        await revoke_token(conn, 404, actor)


async def test_tokens_are_listed_newest_first_in_pages(conn: Conn, actor: Actor) -> None:
    tokens = [await create_token(conn, NewToken(name=f"t{n}", role=Role.VIEWER), actor) for n in range(5)]
    first = await sql.list_tokens(conn, limit=3)
    second = await sql.list_tokens(conn, after=first.next, limit=3)
    assert [token.id for token in first.items + second.items] == [token.id for token in reversed(tokens)]
    assert second.next is None


async def test_a_key_gives_the_same_secret_again_and_only_to_its_holder(conn: Conn, actor: Actor) -> None:
    secret = secret_for_key("gl_holder", "key-1")
    first = await create_token(conn, NewToken(name="grace", role=Role.VIEWER), actor, secret=secret)
    again = await create_token(conn, NewToken(name="grace", role=Role.VIEWER), actor, secret=secret)
    assert first == again
    assert secret_for_key("gl_other", "key-1") != secret != secret_for_key("gl_holder", "key-2")
    with pytest.raises(Invalid):
        await create_token(conn, NewToken(name="grace", role=Role.ADMIN), actor, secret=secret)


async def test_the_administrators_token_is_in_a_file_of_its_owner_alone(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "admin.token"
    async with db.transaction() as conn:
        await ensure_admin_token(conn, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = path.read_text().strip()
    async with db.transaction() as conn:
        assert (await authenticate(conn, secret)).role is Role.ADMIN
        await ensure_admin_token(conn, path)
    assert path.read_text().strip() == secret, "a second start keeps it"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"gl_wrong\n", b"\xff\xfe\x00"])
async def test_a_lost_or_revoked_administrators_token_is_replaced(db: Database, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "admin.token"
    path.write_bytes(content)
    async with db.transaction() as conn:
        await ensure_admin_token(conn, path)
        assert (await authenticate(conn, path.read_text().strip())).role is Role.ADMIN


async def test_a_token_of_a_lower_role_is_no_administrators_token(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "admin.token"
    async with db.transaction() as conn:
        issued = await create_token(conn, NewToken(name="v", role=Role.VIEWER), SYSTEM)
        path.write_text(issued.secret)
        await ensure_admin_token(conn, path)
        assert (await authenticate(conn, path.read_text().strip())).role is Role.ADMIN


async def _dump(conn: Conn, table: str) -> list[dict[str, object]]:
    if table == "tokens":
        return await rows(conn, "SELECT tokens::text, encode(digest, 'escape') AS raw FROM tokens")
    return await rows(conn, "SELECT events::text FROM events")


async def test_a_token_of_the_extension_is_limited_to_projects(conn: Conn, actor: Actor) -> None:
    for slug in ("rooftop", "cellar"):
        await timeline.create_project(conn, NewProject(slug=slug, name=slug), actor)
    issued = await create_token(conn, NewToken(name="c", role=Role.CAPTURE, projects=(2, 1, 2)), actor)
    holder = await authenticate(conn, issued.secret)
    assert issued.projects == holder.projects == (1, 2)
    assert [holder.may_record_in(project_id) for project_id in (1, 2, 3, None)] == [True, True, False, False]
    everywhere = await create_token(conn, NewToken(name="c", role=Role.CAPTURE), actor)
    assert (await authenticate(conn, everywhere.secret)).may_record_in(3)
    with pytest.raises(NotFound, match="no project 9"):
        await create_token(conn, NewToken(name="c", role=Role.CAPTURE, projects=(1, 9)), actor)


@pytest.mark.parametrize(
    ("role", "projects"), [(Role.CREATOR, (1,)), (Role.ADMIN, (1,)), (Role.CAPTURE, ()), (Role.CAPTURE, (0,))]
)
def test_only_tokens_of_the_extension_are_limited_to_projects(role: Role, projects: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        NewToken(name="c", role=role, projects=projects)


async def test_a_key_does_not_give_a_token_with_other_projects(conn: Conn, actor: Actor) -> None:
    await timeline.create_project(conn, NewProject(slug="rooftop", name="Rooftop"), actor)
    secret = secret_for_key("gl_holder", "key-1")
    new = NewToken(name="c", role=Role.CAPTURE, projects=(1,))
    first = await create_token(conn, new, actor, secret=secret)
    assert await create_token(conn, new, actor, secret=secret) == first
    with pytest.raises(Invalid):
        await create_token(conn, NewToken(name="c", role=Role.CAPTURE), actor, secret=secret)


def test_a_role_includes_those_before_it_and_the_extensions_role_only_itself() -> None:
    including = {role: {other for other in Role if role.includes(other)} for role in Role}
    assert including == {
        Role.CAPTURE: {Role.CAPTURE},
        Role.VIEWER: {Role.VIEWER},
        Role.CREATOR: {Role.VIEWER, Role.CREATOR},
        Role.ADMIN: {Role.VIEWER, Role.CREATOR, Role.ADMIN},
    }
