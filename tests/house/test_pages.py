"""Pages are consistent: links, decisions, dependencies, glossary, changelog, status."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.house import tree
from tests.house.tree import ROOT

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
DECISIONS = ROOT / "docs" / "decisions"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STATES = {"done", "partly", "not yet"}


def _read(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def _anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, built as code forges do."""
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading) for heading in HEADING.findall(tree.without_blocks(text)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", tree.pages(), ids=tree.short)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for plain, image in LINK.findall(tree.without_blocks(text)):
        target = plain or image
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        leads_to = (page.parent / name).resolve() if name else page
        assert leads_to.exists(), f"{tree.short(page)} links to {target}"
        assert leads_to.is_relative_to(ROOT), f"{tree.short(page)} links out of the project: {target}"
        if anchor and leads_to.suffix == ".md":
            assert anchor in _anchors(leads_to.read_text(encoding="utf-8")), f"{tree.short(page)} links to {target}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, pending = {ROOT / "README.md"}, [ROOT / "README.md"]
    while pending:
        page = pending.pop()
        for plain, image in LINK.findall(tree.without_blocks(page.read_text(encoding="utf-8"))):
            name = (plain or image).partition("#")[0]
            target = (page.parent / name).resolve()
            if name and not re.match(r"[a-z]+:", name) and target.suffix == ".md" and target not in reached:
                reached.add(target)
                pending.append(target)
    assert not [tree.short(page) for page in tree.pages() if page not in reached]


def test_decisions_have_unique_numbers_and_are_in_the_index() -> None:
    index = _read("docs", "decisions", "README.md")
    records = [path for path in DECISIONS.glob("*.md") if path.name != "README.md"]
    numbers = [path.name[:4] for path in records]
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name) for path in records)
    assert len(numbers) == len(set(numbers)), "two decisions share a number"
    assert not [path.name for path in records if f"({path.name})" not in index]
    for path in records:
        assert path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]}"), path.name


def test_every_dependency_is_recorded_with_licence_and_version() -> None:
    declared = [
        *PROJECT["dependencies"],
        *(requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra),
    ]
    names = {re.split(r"[\[<>=~! ;]", line)[0] for line in declared}
    rows = re.findall(
        r"^\| `([\w-]+)`[^|]* \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$",
        _read("docs", "decisions", "0001-dependencies.md"),
        re.MULTILINE,
    )
    assert {name for name, *_ in rows} == names
    pins = re.findall(r"^([\w.-]+)==([\w.]+)", _read("constraints.txt"), re.MULTILINE)
    for name, _, version, *_ in rows:
        pinned = [pinned_version for pin, pinned_version in pins if pin == name]  # several, where Pythons differ
        assert any(pin.startswith(version.strip()) for pin in pinned), f"{name} is {pinned}, the record says {version}"


def test_the_changelog_has_this_version() -> None:
    text = _read("CHANGELOG.md")
    assert f"## [{PROJECT['version']}]" in text
    assert "## [Unreleased]" in text


def test_the_glossary_defines_the_words_of_the_rules() -> None:
    text = _read("docs", "glossary.md")
    words = (
        "Asset|Version|Active version|Project|Scene|Segment|Take|Selected take|Receipt|Claim|Input|Derivation|Digest|"
        "Effective digest|Expected version|Cause|Root|Waiver|Pin|Scope|Plan|Step|Engine|Run|Seed frame"
    )
    defined = set(re.findall(r"^\| \*\*(.+?)\*\* \|", text, re.MULTILINE))
    assert defined >= set(words.split("|")), set(words.split("|")) - defined


def test_every_row_of_the_status_has_a_state_and_a_proof() -> None:
    rows = re.findall(
        r"^\| ([RB]\d+|C\d|[1-9]\d?|E\d) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", _read("docs", "status.md"), re.MULTILINE
    )
    named = [name for name, _, _ in rows]
    assert len(named) == len(set(named)), "a row is listed twice"
    required = {f"R{n}" for n in range(1, 12)} | {f"B{n}" for n in range(1, 13)}
    parts = {str(n) for n in range(1, 12)} | {"E1", "E2", "E3"}
    comfyui = {f"C{n}" for n in range(1, 9)}
    assert set(named) - comfyui == required | parts
    for name, state, proof in rows:
        assert state.strip() in STATES, f"{name} is {state!r}"
        if state.strip() == "done":
            assert re.search(r"`(tests/|make |benchmarks/|genlock )", proof), f"{name} is done, but names no proof"
        for path in re.findall(r"`((?:tests|benchmarks|docs|src)/[^`\s:]*)", proof):
            assert (ROOT / path).exists(), f"{name} names {path} as its proof, which does not exist"


def test_the_architecture_names_files_that_exist() -> None:
    text = _read("docs", "architecture.md")
    table = text.partition("## Where to look")[2].partition("## Rooms")[0]
    places = re.findall(r"`([a-z_/0-9]+\.(?:py|sql))`", table)
    assert len(places) > 10
    assert not [place for place in places if not (ROOT / "src" / "genlock" / place).is_file()]
