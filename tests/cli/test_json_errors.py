"""With ``--json``, stderr holds one JSON object a line: narration, then the error if there is one."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cftui.cli.output import narrate
from cftui.errors import CftuiError
from cftui.home import Home

from .conftest import environment, program
from .test_errors import CASES, USAGE


def stderr_objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def only_error(text: str) -> dict[str, Any]:
    (line,) = stderr_objects(text)
    assert line.keys() == {"error"}
    return line["error"]


@pytest.fixture
def home(own_home: Home) -> Home:
    return own_home


@pytest.mark.parametrize("case", [case for case in CASES if case != "negative draw"])
def test_an_error_is_one_object_with_the_line_of_the_text_form(case: str, home: Home, cli) -> None:
    arguments, _ = CASES[case]
    text, as_json = cli(home, *arguments), cli(home, *arguments, "--json")
    assert (as_json.status, as_json.out) == (1, "")
    error = only_error(as_json.err)
    assert f"cftui: {error['message']}\n" == text.err
    assert error["exit"] == 1
    first = case.split()[0]
    assert error["kind"] == (first if first in ("unknown", "ambiguous") else error["kind"])
    assert error["kind"] in ("error", "unknown", "ambiguous", "file")


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage_is_one_object_too(arguments: tuple[str, ...], home: Home, cli) -> None:
    done = cli(home, *arguments, "--json")
    assert (done.status, done.out) == (2, "")
    error = only_error(done.err)
    assert (error["kind"], error["exit"]) == ("usage", 2)
    assert error["hint"].endswith("--help")


def test_wrong_usage_names_the_option_to_change(home: Home, cli) -> None:
    error = only_error(cli(home, "data", "head", "-n", "0", "--json").err)
    assert error["option"] == "rows"
    assert error["what"] == "0 is not in the range x>=1."
    assert only_error(cli(home, "train", "model4", "--epochs", "0", "--json").err)["option"] == "epochs"


def test_an_error_in_parts_is_printed_in_parts(home: Home, cli, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise CftuiError("no ratings", where="a.csv:3", hint="name another file", option="items", kind="unknown")

    monkeypatch.setattr("cftui.data.store.catalog.open_tables", fail)
    line = "a.csv:3: no ratings; name another file"
    assert cli(home, "data", "head", "tiny").err == f"cftui: {line}\n"
    assert only_error(cli(home, "data", "head", "tiny", "--json").err) == {
        "message": line,
        "kind": "unknown",
        "exit": 1,
        "what": "no ratings",
        "where": "a.csv:3",
        "hint": "name another file",
        "option": "items",
    }


def test_an_error_of_the_operating_system_names_its_file(home: Home, cli, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/some/file")

    monkeypatch.setattr("cftui.analysis.ranking.biases", fail)
    error = only_error(cli(home, "bias", "model4.run", "--json").err)
    assert (error["kind"], error["where"], error["what"]) == ("file", "/some/file", "No space left on device")


@pytest.mark.parametrize(
    ("raised", "kind", "status"),
    [(ZeroDivisionError("x"), "internal", 1), (KeyboardInterrupt(), "interrupted", 130), (OSError("x"), "file", 1)],
    ids=["defect", "Ctrl+C", "file"],
)
def test_whatever_ends_a_verb_is_one_object(raised: BaseException, kind: str, status: int, cli, home, monkeypatch):
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr("cftui.analysis.ranking.biases", fail)
    done = cli(home, "bias", "model4.run", "--json")
    error = only_error(done.err)
    assert (done.status, error["exit"], error["kind"]) == (status, status, kind)


def test_a_home_that_is_a_file_and_a_missing_terminal_are_objects(tmp_path: Path, cli) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file" in only_error(cli(Home(tmp_path / "file"), "runs", "--json").err)["message"]
    assert only_error(program(Home(tmp_path), "--json").stderr)["kind"] == "usage"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_library_that_is_missing_is_one_line(as_json: bool, tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise ImportError('no click here')")
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH", ""), str(Path.cwd()))))
    command = [sys.executable, "-m", "cftui", "runs", *(["--json"] if as_json else [])]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(PYTHONPATH=paths), timeout=60)
    assert done.returncode == 1
    line = only_error(done.stderr)["message"] if as_json else done.stderr.removeprefix("cftui: ")
    assert line.strip() == "a library is missing: no click here; install cftui again"


def test_narration_is_one_object_a_line(home: Home, tmp_path: Path, cli) -> None:
    file = tmp_path / "own.csv"
    file.write_text("user,item,rating\n" + "".join(f"{u},{i},{1 + (u * i) % 5}\n" for u in range(9) for i in range(9)))
    arguments = ("data", "import", file, "--name", "own")
    text, as_json = cli(home, *arguments), cli(home, *arguments, "--json")
    lines = stderr_objects(as_json.err)
    assert [line["progress"] for line in lines] == text.err.splitlines()
    assert len(lines) >= 2


def test_narration_and_the_error_differ_by_their_key(home: Home, cli, monkeypatch) -> None:
    def unreachable(*_: object) -> str:
        raise CftuiError("cannot be reached")

    monkeypatch.delenv("CFTUI_ML_100K", raising=False)
    monkeypatch.setattr("cftui.data.store.sources._official", unreachable)
    monkeypatch.setattr("cftui.data.store.sources._mirror", unreachable)
    *narration, last = stderr_objects(cli(home, "data", "get", "ml-100k", "--json").err)
    assert narration
    assert all(line.keys() == {"progress"} for line in narration)
    assert last["error"]["exit"] == 1


def test_narration_outside_a_verb_stays_plain(capsys) -> None:
    narrate("one\ntwo")
    assert capsys.readouterr().err == "one\ntwo\n"
