"""The location of the data makes no difference: long paths, odd names, an emptied /tmp."""

import shutil
from pathlib import Path

from tests.db.embedded.stage import Stage, shown, words, write_word


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(own_bare_stage: Stage) -> None:
    own_bare_stage.home = own_bare_stage.home / ("long" * 20) / ("path" * 10)
    first, second = own_bare_stage.actor(), own_bare_stage.actor()
    conninfo = own_bare_stage.attached(first)
    folder = Path(shown(conninfo, "unix_socket_directories"))
    assert len(str(folder)) < 40
    assert (folder.stat().st_mode & 0o777) == 0o700
    assert own_bare_stage.attached(second) == conninfo
    write_word(conninfo, "kept")
    own_bare_stage.kill_server()
    shutil.rmtree(folder)  # as a system that empties /tmp does
    assert first.ask("ensure running")["restarted"] is True
    assert words(conninfo) == ["kept"], "whoever knows the address finds it again"
    first.ask("detach")
    second.ask("detach")
    assert not folder.exists()


def test_any_path_is_accepted(own_bare_stage: Stage) -> None:
    odd = own_bare_stage.request | {"home": str(own_bare_stage.home / 'it\'s, a "film" é 🎬 $HOME `x` \\')}
    write_word(str(own_bare_stage.actor().ask("attach", **odd)["owner_conninfo"]), "kept")
