"""Child processes: what they print is parsed, and their errors arrive in parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cftui.tui
from cftui.engine.runs.events import History
from cftui.errors import CftuiError
from cftui.tui.session.jobs import Job, parse_line, start_detached


async def test_a_verb_gives_its_json(tiny_home) -> None:
    shown = await Job(tiny_home, ["data", "list"]).run()
    assert any(row["name"] == "ml-100k" for row in shown)


async def test_an_error_of_a_verb_arrives_with_its_parts(tiny_home) -> None:
    with pytest.raises(CftuiError) as raised:
        await Job(tiny_home, ["data", "get", "nowhere"]).run()
    assert raised.value.kind == "unknown"
    assert raised.value.hint
    assert not str(raised.value).startswith("cftui")


def test_a_line_of_a_library_is_narration_and_an_event_says_nothing() -> None:
    assert parse_line("UserWarning: slow\n") == "UserWarning: slow"
    assert parse_line("[1, 2]") == "[1, 2]"
    assert parse_line('{"progress": "fetching"}') == "fetching"
    assert parse_line('{"event": "epoch"}') == ""


def test_a_detached_trainer_that_fails_says_why_in_its_log(fresh_home) -> None:
    from cftui.engine.runs.folder import RunFolder

    assert start_detached(fresh_home, "one", ["train", "modle4", "--name", "one"]).wait(60)
    reason = RunFolder(fresh_home.models / "one").obituary(History())
    assert "modle4" in reason
    assert not reason.startswith(("{", "cftui"))


def test_nothing_else_in_the_app_starts_a_process() -> None:
    folder = Path(cftui.tui.__file__).parent
    starting = re.compile(r"create_subprocess|Popen\(|sys\.executable|subprocess\.run")
    assert [path.name for path in folder.rglob("*.py") if starting.search(path.read_text())] == ["jobs.py"]
