"""What a build of a checkout installs, and the row that its tests leave in the page."""

from pathlib import Path

import pytest
from tests.comfyui.build import requirements_of
from tests.comfyui.builds import DEFAULT_VERSION, Build, last_build, remember_last, version_of
from tests.comfyui.compatibility import PAGE, result_of, row_of, with_row

REQUIREMENTS = """comfyui-frontend-package==1.49.6
comfyui-workflow-templates==0.11.44
torch
torchvision
numpy>=1.25.0  # with a remark

# not essential
spandrel
pydantic~=2.0
"""
REPORT = """<testsuites><testsuite>
<testcase classname="tests.comfyui.test_faults" name="test_a"/>
<testcase classname="tests.comfyui.test_faults" name="test_b"><failure message="no"/></testcase>
<testcase classname="tests.extension.test_caches" name="test_c[lru]"/>
<testcase classname="tests.extension.test_caches" name="test_d"><skipped/></testcase>
<testcase classname="tests.capture.test_real_comfyui" name="test_e"><error message="no"/></testcase>
</testsuite></testsuites>"""


def test_torch_is_pinned_and_what_the_tests_do_not_need_is_left_out() -> None:
    assert requirements_of(REQUIREMENTS) == ["torch==2.13.0", "numpy>=1.25.0", "pydantic~=2.0"]


def test_the_version_of_a_checkout_is_read_and_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a checkout of ComfyUI"):
        version_of(tmp_path)
    (tmp_path / "comfyui_version.py").write_text('__version__ = "../evil"\n')
    with pytest.raises(ValueError, match="names no version"):
        version_of(tmp_path)
    (tmp_path / "comfyui_version.py").write_text('# made by the build\n__version__ = "0.33.0"\n')
    assert version_of(tmp_path) == "0.33.0"


def test_the_last_build_is_remembered(tmp_path: Path) -> None:
    assert last_build(tmp_path).version == DEFAULT_VERSION
    remember_last(Build("0.33.0", tmp_path))
    assert last_build(tmp_path) == Build("0.33.0", tmp_path)
    assert not last_build(tmp_path).is_built()


def test_a_result_replaces_the_row_of_its_version(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    result = result_of(report)
    assert {name: str(count) for name, count in result.counts.items()} == {
        **{"rendering": "1 of 2", "extension": "1 of 1", "imports": "0 of 1", "engine": "–"}
    }
    assert result.failed == ("test_b", "test_e")
    row = row_of("0.9.1", result)
    page = with_row(with_row(PAGE.read_text(encoding="utf-8"), row), row_of("0.9.0", result))
    assert with_row(page, row) == page
    assert page.index("| 0.9.1 |") < page.index("| 0.9.0 |")
    assert page.count("| 0.9.1 |") == 1
    assert row.endswith("| `test_b`, `test_e` |")
