"""Every statement is one readable literal, and PostgreSQL can plan it."""

import ast
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, cast

import pytest
from psycopg.types.json import Json, Jsonb
from tests.house import tree

from genlock.db.connection import Conn, unindented

SOURCE = tree.ROOT / "src" / "genlock"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if re.search(r"(^|_)sql$", path.stem))
MOST_LINES = 80
MOST_CHARACTERS = 4096  # psycopg parses the placeholders of a longer one at every call
STATEMENT = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b")
PARAMETER = re.compile(r"%\((\w+)\)s(?:::(\w+(?:\[\])?))?")

DIGEST = bytes(32)

# Examples of parameters by name, where the name means the same in all statements.
SHARED: Mapping[str, Any] = {
    """
    activation_id active after after_id after_position after_scene asset asset_id attempt before behind
    capture_id count ctime ctime_ns device downstream duration_s equivalent_to event_id few first_project
    from from_version id inode last_project limit lock mtime mtime_ns number older_than_s plan_id position
    previous progress project project_id psnr_db receipt receipt_id recent run_id runs samples scene_id
    scope_id segment segment_id session_id silent_s size size_bytes ssim status step_id swept take_id to token_id
    version
    """: 1,
    """
    actor browser created_by engine filename host importer in_place key kind last media_type name note path prompt
    prompt_id q queue reason refusal role run scene slug state task verdict why worker
    """: "a",
    "archived as_planned cascade chained for_review force review saved selected tokens whole": True,
    "current definitions digest effective graph inputs output request_digest skeleton video": DIGEST,
    """
    asset_ids assets contents derivations heights ids numbers positions projects receipts replaced
    root_assets root_expected root_used scenes scopes segments sizes steps takes used widths workloads
    """: [1, 2],
    "engines filenames folders kinds names paths tasks types verbs whys": ["a", "b"],
    "digests highs lows outputs": [DIGEST, DIGEST],
    "answer bindings details error expected notes place record result selection": Jsonb({}),
    "judged links references": Json([]),
}

EXAMPLES: Mapping[str, Any] = {
    **{name: example for names, example in SHARED.items() for name in names.split()},
    "expires_at": datetime(2030, 1, 1, tzinfo=UTC),
    "lifetime": timedelta(days=1),
    "retention": timedelta(days=1),
    "seed": "7",
    "started_at": datetime(2030, 1, 1, tzinfo=UTC),
    # The same name with another type, or in another module.
    "expected::bytea[]": [DIGEST],
    "kinds::int[]": [0, 1],
    "last::int[]": [1, 2],
    "paths::jsonb[]": [Jsonb([[1, 1]])],
    "runs::bigint[]": [1, 2],
    "selected::bool[]": [True, False],
    "used::bytea[]": [DIGEST],
    "access/sql.py:answer": b"{}",
    "capture/segment_resolution_sql.py:project": "a",
    "regeneration/planning/situation_sql.py:selected": [1, 2],
    "regeneration/plans/draft_sql.py:steps": Jsonb([]),
    "takes/record_sql.py:inputs": Json([]),
    "takes/record_sql.py:outputs": Json([]),
    "takes/record_sql.py:receipts": Json([]),
    "takes/selection_sql.py:runs": Json([]),
    "takes/selection_sql.py:selections": Json([]),
}


def _statements() -> Iterator[tuple[str, str]]:
    """Yield where each statement is, and its text."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node.value


STATEMENTS = dict(_statements())


def test_every_module_with_statements_is_read() -> None:
    assert {where.partition(":")[0] for where in STATEMENTS} == {str(path.relative_to(SOURCE)) for path in MODULES}


@pytest.mark.parametrize("where", STATEMENTS)
async def test_a_statement_is_short_and_can_be_planned(where: str, conn: Conn) -> None:
    statement = STATEMENTS[where]
    lines = [line for line in statement.splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES, f"{where} has {len(lines)} lines"
    characters = len(unindented(cast(LiteralString, statement)))
    assert characters <= MOST_CHARACTERS, f"{where} has {characters} characters without its indentation"
    plan = await conn.execute(cast(LiteralString, f"EXPLAIN {statement}"), example_of(where, statement))
    assert await plan.fetchall()


def example_of(where: str, statement: str) -> dict[str, Any]:
    """Return example parameters of a statement: by its module, else by name and type, else by name."""
    module = where.partition(":")[0]
    examples: dict[str, Any] = {}
    for name, type_name in PARAMETER.findall(statement):
        for key in (f"{module}:{name}", f"{name}::{type_name}", name):
            if key in EXAMPLES:
                examples.setdefault(name, EXAMPLES[key])
                break
        else:
            pytest.fail(f"add an example of {name} to {__file__}")
    return examples
