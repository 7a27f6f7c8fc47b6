"""The reference page contains the help of every command, and every help text is complete."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genlock.cli import reference
from genlock.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
HELP = dict(reference.commands())
LEAVES = [path for path, text in HELP.items() if "Commands:" not in text]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.page(), "run `make docs`"


@pytest.mark.parametrize("path", HELP)
def test_every_command_has_an_example_of_itself(path: str) -> None:
    _, marker, example = HELP[path].partition("Example: ")
    assert marker, f"{path} has no example"
    words = shlex.split(" ".join(example.split()))
    assert " ".join(words).startswith(path)


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_can_answer_in_json_from_any_server(path: str) -> None:
    ignores_url = "Does not use --url or GENLOCK_URL" in " ".join(HELP[path].split())
    for option in ("--json", "--data", "--help", *(() if ignores_url else ("--url", "--token"))):
        assert option in HELP[path], f"{path} has no {option}"


@pytest.mark.parametrize("path", HELP)
def test_help_is_shown_in_a_terminal(path: str) -> None:
    shown = CliRunner().invoke(app, [*path.split()[1:], "--help"], prog_name="genlock")
    assert shown.exit_code == 0
    assert "Example:" in shown.stdout


def test_every_command_of_the_contract_exists() -> None:
    expected = """
        up down demo status plan provenance usage diff waive pin unpin select worker verify render events unwaive
        project_add project_list project_show scene_add segment_add token_add token_list token_revoke sketch_samples
        asset_add asset_list asset_show asset_history asset_activate asset_impact asset_usage
        plans_list plans_show plans_start plans_cancel plans_retry
        project_archive project_restore scene_archive scene_restore segment_archive segment_restore
        asset_archive asset_restore
    """
    assert {f"genlock {name.replace('_', ' ')}" for name in expected.split()} <= HELP.keys()
