"""Migrations never change once they are used, and bring every database to one schema."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from alembic.script import ScriptDirectory
from tests.fixtures_postgres import fresh_database

from genlock.db.migrate import MIGRATIONS, migrate, require_current, revisions
from genlock.errors import Conflict

FOLDER = Path(__file__).parent
FROZEN = FOLDER / "frozen.sha256"
AS_FIRST_USED = FOLDER / "as_first_used"
VERSIONS = MIGRATIONS / "versions"
SCHEMA: LiteralString = """
    WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('genlock', 'queue'))
    SELECT 'column', format('%s.%s.%s', n.nspname, c.relname, a.attname),
           format('%s %s %s', format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
      FROM ours n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'v', 'p', 'm')
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT 'relation', format('%s.%s', n.nspname, c.relname),
           format('%s %s %s', c.relkind, c.reloptions,
                  array_to_string(ARRAY(SELECT unnest(c.relacl)::text ORDER BY 1), ' '))
      FROM ours n JOIN pg_class c ON c.relnamespace = n.oid
    UNION ALL
    SELECT 'index', format('%s.%s', n.nspname, c.relname), pg_get_indexdef(c.oid)
      FROM ours n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'i'
    UNION ALL
    SELECT 'view', format('%s.%s', n.nspname, c.relname), pg_get_viewdef(c.oid)
      FROM ours n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'v'
    UNION ALL
    SELECT 'constraint', format('%s.%s.%s', n.nspname, k.conrelid::regclass, k.conname), pg_get_constraintdef(k.oid)
      FROM ours n JOIN pg_constraint k ON k.connamespace = n.oid
    UNION ALL
    SELECT 'trigger', format('%s.%s', t.tgrelid::regclass, t.tgname),
           format('%s %s', t.tgenabled, pg_get_triggerdef(t.oid))
      FROM ours n JOIN pg_class c ON c.relnamespace = n.oid
      JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT 'function', format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
           format('%s %s', pg_get_functiondef(p.oid),
                  array_to_string(ARRAY(SELECT unnest(p.proacl)::text ORDER BY 1), ' '))
      FROM ours n JOIN pg_proc p ON p.pronamespace = n.oid AND p.prokind = 'f'
     ORDER BY 1, 2, 3
"""


def _files() -> list[Path]:
    return sorted(path for path in VERSIONS.iterdir() if path.suffix in (".py", ".sql") and path.stem != "__init__")


def _schema(conninfo: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo) as conn:
        return conn.execute(SCHEMA).fetchall()


def test_a_migration_is_never_changed() -> None:
    """A database that was made with the old text would never get the change: write another migration instead."""
    frozen = {name: digest for digest, name in map(str.split, FROZEN.read_text().splitlines())}
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _files()}
    changed = [name for name in frozen if frozen[name] != digests.get(name)]
    assert not changed, f"changed or removed: {changed}"
    added = [f"{digest}  {name}" for name, digest in digests.items() if name not in frozen]
    assert not added, "add to tests/db/migrations/frozen.sha256:\n" + "\n".join(added)


def test_revisions_follow_one_another() -> None:
    """Each once, and in the order in which Alembic applies them: their numbers say when they were begun."""
    script = ScriptDirectory(str(MIGRATIONS))
    applied = tuple(reversed([revision.revision for revision in script.walk_revisions()]))
    assert revisions() == applied
    assert sorted(applied) == sorted({path.stem[:4] for path in _files()})


@pytest.mark.parametrize("old", [("0009_reports",), ("0014_scanned_files",), ("0009_reports", "0014_scanned_files")])
def test_databases_made_with_the_first_text_get_the_same_schema(
    postgres: str, database: str, tmp_path: Path, old: tuple[str, ...]
) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (migrations / "versions").iterdir():
        if path.stem[:4] > "0014" and path.stem != "__init__":
            path.unlink()
    for name in old:
        shutil.copy(AS_FIRST_USED / f"{name}.sql", migrations / "versions")
    with fresh_database(postgres) as made_before:
        migrate(made_before, migrations=migrations)
        assert _schema(made_before) != _schema(database)
        migrate(made_before)
        assert _schema(made_before) == _schema(database)


def test_migrating_again_changes_nothing(database: str) -> None:
    before = _schema(database)
    migrate(database)
    assert _schema(database) == before


def _set_revision(conninfo: str, revision: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as owner:
        owner.execute("UPDATE genlock.alembic_version SET version_num = %s", (revision,))


def test_older_code_on_newer_data_is_refused(database: str) -> None:
    _set_revision(database, "9999")
    for use in (migrate, require_current):
        with pytest.raises(
            Conflict, match=r"revision 9999, which Genlock .* does not know .* newer version"
        ) as refused:
            use(database)
        assert refused.value.code == "newer_database"
        assert refused.value.hint is not None and "newer version" in refused.value.hint


def test_newer_code_on_older_data_waits_for_the_server(database: str) -> None:
    require_current(database)
    _set_revision(database, revisions()[-2])
    with pytest.raises(Conflict, match=f"revision {revisions()[-2]}, and Genlock .* needs {revisions()[-1]}"):
        require_current(database)


@pytest.mark.parametrize("program", ["genlock.server", "genlock.regeneration.worker"])
def test_a_process_of_an_older_version_ends_with_a_sentence(tmp_path: Path, database: str, program: str) -> None:
    _set_revision(database, "9999")
    environment = {**os.environ, "GENLOCK_DATABASE_URL": database, "GENLOCK_PORT": "0"}
    command = [sys.executable, "-m", program, "--data", str(tmp_path / "data")]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert refused.returncode == 1
    assert "revision 9999" in refused.stderr
    assert "Traceback" not in refused.stderr
