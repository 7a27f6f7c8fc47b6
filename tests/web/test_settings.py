"""Settings are read from their sources in order, and each one is documented with its default."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from genlock.settings import Settings, default_data_folder

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
ROW = re.compile(r"^\| `(GENLOCK_[A-Z_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_exactly_the_settings_are_documented() -> None:
    documented = {name for name, _, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    assert documented == {f"GENLOCK_{name.upper()}" for name in Settings.model_fields}


def test_the_documented_numbers_are_the_defaults() -> None:
    for name, default, _ in ROW.findall(PAGE.read_text(encoding="utf-8")):
        field = Settings.model_fields[name.removeprefix("GENLOCK_").lower()]
        if number := re.match(r"`([0-9]+)`", default):
            assert float(number.group(1)) == field.default, name


def test_variables_are_read_and_arguments_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENLOCK_PORT", "9001")
    monkeypatch.setenv("GENLOCK_DATA", str(tmp_path))
    monkeypatch.setenv("GENLOCK_WORKERS", "")
    monkeypatch.setenv("GENLOCK_REGISTER_ROOTS", f"{tmp_path}/a:{tmp_path}/b")
    monkeypatch.setenv("GENLOCK_SCAN_FOLDERS", "~/models:input")
    settings = Settings()
    assert (settings.port, settings.data, settings.workers) == (9001, tmp_path, 1)
    assert settings.register_roots == (tmp_path / "a", tmp_path / "b")
    assert settings.scan_folders == (Path.home() / "models", Path.cwd() / "input")
    assert Settings(port=0).port == 0
    assert settings.token_file == tmp_path / "admin.token"


@pytest.mark.parametrize(("name", "value"), [("PORT", "65536"), ("WORKERS", "-1"), ("MAX_BODY_BYTES", "many")])
def test_an_invalid_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"GENLOCK_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_the_data_folder_of_root_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_data_folder() == Path("/var/lib/genlock")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert default_data_folder().name == "genlock"
    assert default_data_folder() != Path("/var/lib/genlock")
