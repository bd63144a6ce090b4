"""What a title may do: nothing on a terminal, everything in a file, and what a spreadsheet makes of it."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from cftui.cli.main import main
from cftui.home import Home

# One of them sets the clipboard, one the title of the window; C1 control characters and marks that turn a line around.
TITLES = [
    "\x1b]52;c;aGVsbG8=\x07steals the clipboard", "\x1b]0;title\x07x", "\x9b31mred", "\u202etxt.exe", "\u2066x\u2069",
    "=1+1", "+SUM(A1)", "-2", "@cmd", "plain",
]  # fmt: skip
OBEYED = set("\x1b\x07\x9b\u202e\u2066\u2069")
VERBS = [
    "recommend --user 1 -n 20 --csv -",
    "recommend --user 1 -n 20 --json",
    "recommend --user 1 -n 20",
    "pca --csv -",
    "pca --json",
    "bias",
    "similar 3",
    "runs show latest",
    "runs show latest --json",
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def home(own_home: Home) -> Home:
    """A home with one run, of odd titles, and a note that is one."""
    for run in list(own_home.models.iterdir()):
        if run.name != "model4.run":
            run.rename(own_home.root / run.name)
    file = own_home.models / "model4.run" / "vocabulary.json"
    value = json.loads(file.read_text())
    for at, title in enumerate(TITLES, 1):
        value["items"][at] = value["item_table"]["title"][at] = title
    file.write_text(json.dumps(value))
    (file.parent / "notes.json").write_text(json.dumps({"note": TITLES[0], "tags": []}))
    return own_home


def _shown(home: Home, verb: str, monkeypatch: pytest.MonkeyPatch, terminal: bool) -> str:
    out = Terminal() if terminal else io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        assert main(lambda *_: 0, [*verb.split(), "--home", str(home.root)]) == 0
    return out.getvalue()


@pytest.mark.parametrize("verb", VERBS)
def test_no_title_gives_orders_to_a_terminal(verb: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _shown(home, verb, monkeypatch, terminal=True)
    assert shown.strip()
    assert not OBEYED & set(shown)


def test_what_goes_to_a_pipe_is_exact(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    piped = _shown(home, VERBS[3], monkeypatch, terminal=False)
    assert set(TITLES) <= {row["title"] for row in csv.DictReader(io.StringIO(piped))}


def test_json_is_exact_on_a_terminal_as_well(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (True, False):
        rows = json.loads(_shown(home, "similar plain -n 30 --json", monkeypatch, terminal))["rows"]
        assert {*TITLES, *(row["title"] for row in rows)} - {"plain"} == {row["title"] for row in rows}


@pytest.mark.parametrize(
    "verb", ["pca --csv {}.csv", "export --to {}", "recommend --users all -n 20 --seen --to {}.csv"]
)
def test_a_spreadsheet_runs_no_title_if_that_is_asked_for(verb: str, home: Home, cli, tmp_path: Path) -> None:
    def titles(*more: str) -> set[str]:
        target = tmp_path / "out"
        assert cli(home, *verb.format(target).split(), *more).status == 0
        found = next(path for path in tmp_path.glob("out*.csv") if "users" not in path.name)
        with found.open(newline="") as file:
            return {row["title"] for row in csv.DictReader(file)}

    assert {"=1+1", "+SUM(A1)", "-2", "@cmd", "plain"} <= titles()
    quoted = titles("--spreadsheet")
    assert {"'=1+1", "'+SUM(A1)", "'-2", "'@cmd", "plain"} <= quoted
    assert not any(title.startswith(("=", "+", "-", "@")) for title in quoted)


def test_the_help_says_why(cli, home: Home) -> None:
    for verb in ("recommend", "pca", "export", "bias", "similar"):
        text = " ".join(cli(home, verb, "--help").out.split())
        assert "a spreadsheet would run it as a formula. Without this the text is exact" in text
