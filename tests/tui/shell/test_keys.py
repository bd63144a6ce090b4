"""The names that keys may be given by in the configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cftui.errors import CftuiError
from cftui.settings import Config
from cftui.tui.shell.keys import ACTIONS, ids, is_key


def test_every_key_the_app_uses_has_a_name_that_is_known() -> None:
    used = {name for keys in ACTIONS.values() for key in keys for name in key.keys.split(",")}
    assert [name for name in used if not is_key(name)] == []


@pytest.mark.parametrize(
    "name",
    ["g", "G", "?", "f5", "ctrl+g", " ctrl+shift+left ", "question_mark", "space", "pagedown", "at", "alt+enter"],
)
def test_what_textual_calls_a_key_is_one(name: str) -> None:
    assert is_key(name)


@pytest.mark.parametrize("name", ["ctlr+g", "F5", "page_down", "control+g", "", "ctrl+", "f5 f6", "enterr"])
def test_what_it_does_not_is_none(name: str) -> None:
    assert not is_key(name)


def test_a_key_that_there_is_not_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('theme = "nord"\n[keys]\n"search.why" = "e, ctlr+g"\n')
    with pytest.raises(CftuiError, match=rf"^{file}, line 3: no key 'ctlr\+g'; keys have names such as f5, ctrl\+g"):
        Config.read(file, actions=ids(), is_key=is_key)
    file.write_text('[keys]\n"search.why" = "e, ctrl+g"\n')
    assert Config.read(file, actions=ids(), is_key=is_key).keys == {"search.why": "e, ctrl+g"}


def test_no_key_does_two_things_in_one_place() -> None:
    for group, keys in ACTIONS.items():
        names = [name for key in keys for name in key.keys.split(",")]
        assert [name for name in names if names.count(name) > 1] == [], group
