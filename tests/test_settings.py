"""What is kept about the user: a configuration that is read, a state that is written, a log; and where they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from cftui import settings
from cftui.cli.main import main
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.settings import Config, Notify, State, Use, read_state, write_state
from cftui.tui.shell.keys import keymap


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file of a user of one's own; not there yet."""
    monkeypatch.setenv("CFTUI_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    return settings.config_file()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of state and log; not there yet."""
    monkeypatch.setenv("CFTUI_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def refused(config: Path, text: str | bytes) -> str:
    config.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CftuiError) as told:
        Config.read()
    assert "\n" not in str(told.value)
    return str(told.value)


# The configuration


def test_whom_to_tell_of_the_end_of_a_run_is_read(config: Path) -> None:
    config.write_text('[notify]\ncommand = "say"\nwebhook = "https://example.org/x"\non = ["dead"]\n')
    assert Config.read().notify == Notify("say", "https://example.org/x", ("dead",))
    config.write_text('[notify]\ncommand = "say"\n')
    assert Config.read().notify == Notify("say", "", ("done", "stopped", "failed", "dead"))
    assert Config.read().notify
    assert not Notify()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('comand = "x"', "line 2: no setting 'comand' in [notify]; did you mean command?"),
        ("command = 3", "line 2: command must be a string"),
        ('webhook = "example.org"', "line 2: webhook must begin with https://"),
        ('on = ["over"]', "line 2: on must be a list of done, stopped, failed, dead"),
        ('on = "done"', "line 2: on must be a list"),
    ],
)
def test_a_mistake_in_notify_is_told_with_its_line(config: Path, text: str, reason: str) -> None:
    assert reason in refused(config, f"[notify]\n{text}\n")


def test_without_a_file_the_defaults_hold(config: Path) -> None:
    assert Config.read() == Config()


def test_an_empty_file_says_nothing(config: Path) -> None:
    config.write_text("# nothing yet\n")
    assert Config.read() == Config()


def test_every_setting_is_read(config: Path) -> None:
    config.write_text(
        'theme = "nord"\nascii = true\ndata = "ml-25m"\nrecipe = "collab"\nbell = false\n'
        '\n[keys]\n"search.why" = "f5, W"\n'
    )
    assert Config.read() == Config("nord", True, "ml-25m", "collab", False, {"search.why": "f5, W"})


def test_the_schema_in_the_documentation_is_a_file_that_can_be_read(config: Path) -> None:
    example = "\n".join(line[4:] for line in (settings.__doc__ or "").splitlines() if line.startswith("    "))
    assert example
    config.write_text(example)
    read = Config.read()
    assert read.keys
    assert keymap(read.keys)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('# mine\n\nthem = "nord"\n', 3, "no setting 'them'; did you mean theme?"),
        ('theme = "nord"\n[colours]\nred = 1\n', 2, "no setting 'colours'"),
        ("theme = 3\n", 1, "theme must be a string in quotes"),
        ('\n\nascii = "yes"\n', 3, "ascii must be true or false"),
        ("ascii = 1\n", 1, "ascii must be true or false"),
        ('\ndata = ["ml-100k"]\n', 2, "data must be a string in quotes"),
        ('recipe = true\ntheme = "nord"\n', 1, "recipe must be a string in quotes"),
        ('theme = "nord"\nkeys = "q"\n', 2, "keys must be a table"),
        ('[keys]\n"search.why" = "w"\n"map.find" = 5\n', 3, "the keys of map.find must be a string in quotes"),
        ('[keys]\n"search.why" = " "\n', 2, "the keys of search.why must be a string in quotes"),
    ],
)
def test_what_is_wrong_is_told_with_its_file_and_line(config: Path, text: str, line: int, reason: str) -> None:
    said = refused(config, text)
    assert said.startswith(f"{config}, line {line}: ")
    assert reason in said


def test_what_is_not_toml_is_told_with_its_line(config: Path) -> None:
    said = refused(config, 'theme = "nord"\nascii = yes\n')
    assert said.startswith(f"{config}")
    assert "line 2" in said


def test_what_is_not_utf_8_is_one_line(config: Path) -> None:
    said = refused(config, 'theme = "misérable"\n'.encode("latin-1"))
    assert said.startswith(f"{config}")
    assert "utf-8" in said


def test_a_folder_in_its_place_is_one_line(config: Path) -> None:
    config.mkdir()
    with pytest.raises(CftuiError, match="cannot be read"):
        Config.read()


def test_a_key_for_an_action_there_is_not_is_told_with_the_nearest() -> None:
    with pytest.raises(CftuiError, match=r"no action 'search\.wy'.*did you mean search\.why"):
        keymap({"search.wy": "w"})


def test_several_keys_are_taken_apart_at_their_commas() -> None:
    assert keymap({"search.why": "f5 , W"}) == {"search.why": "f5,W"}


# The state


WHOLE = State(
    theme="nord",
    data="ml-100k",
    screen="map",
    used={"ml-100k": Use("model4-a", "me", "model5-b"), "beers": Use(user="7")},
    queue=[["model4-c", "train", "model4", "--data", "beers"]],
    broken="map",
    left_out=["model4-a"],
)


def test_each_home_remembers_its_own_state(kept: Path, tmp_path: Path) -> None:
    one, other = Home(tmp_path / "one"), Home(tmp_path / "other")
    assert read_state(one) == (State(), "")
    write_state(one, WHOLE)
    write_state(other, State(data="7"))
    assert read_state(one) == (WHOLE, "")
    assert read_state(other) == (State(data="7"), "")
    write_state(one, State(data="8"))
    assert read_state(one) == (State(data="8"), "")
    assert read_state(other) == (State(data="7"), "")
    assert read_state(Home(tmp_path / "third")) == (State(), "")


@pytest.mark.parametrize(
    "damaged",
    [b"", b'{"homes": {', b"[]", b'{"homes": 3}', b"{}", b"\xff\xfe\x00", b'{"homes": {"%HOME%": ["a"]}}'],
    ids=["empty", "cut", "list", "number", "no homes", "binary", "home is a list"],
)
def test_a_damaged_state_is_set_aside_and_told_and_the_next_one_is_kept(
    damaged: bytes, kept: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    damaged = damaged.replace(b"%HOME%", str(home.root).encode())
    kept.mkdir()
    settings.state_file().write_bytes(damaged)
    state, told = read_state(home)
    assert state == State()
    assert str(settings.state_file()) in told
    assert "\n" not in told
    aside = next(path for path in kept.iterdir() if path.name in told and path != settings.state_file())
    assert aside.read_bytes() == damaged
    write_state(home, WHOLE)
    assert read_state(home) == (WHOLE, "")


def test_a_theme_that_nobody_chose_is_not_kept_from_the_first_version(kept: Path, tmp_path: Path) -> None:
    first, other = Home(tmp_path / "first"), Home(tmp_path / "other")
    kept.mkdir()
    before = {str(first.root): {"theme": "textual-dark", "screen": "map"}, str(other.root): {"theme": "nord"}}
    settings.state_file().write_text(json.dumps({"homes": before}))
    assert read_state(first) == (State(screen="map"), "")
    assert read_state(other) == (State(theme="nord"), "")
    # It was chosen if this version kept it.
    write_state(other, State(theme="textual-dark"))
    assert read_state(other) == (State(theme="textual-dark"), "")
    assert read_state(first) == (State(screen="map"), "")


def test_what_a_later_version_keeps_is_passed_over(kept: Path, tmp_path: Path) -> None:
    home = Home(tmp_path)
    kept.mkdir()
    entries = {"data": "7", "zoom": "2", "screen": 5, "queue": [3, []]}
    settings.state_file().write_text(json.dumps({"homes": {str(home.root): entries}}))
    assert read_state(home) == (State(data="7"), "")


def test_what_an_earlier_version_kept_belongs_to_the_data_set_that_was_open(kept: Path, tmp_path: Path) -> None:
    home, entries = Home(tmp_path), {"data": "beers", "run": "a", "newest": "b", "user": "7", "theme": ""}
    kept.mkdir()
    settings.state_file().write_text(json.dumps({"homes": {str(home.root): entries}}))
    assert read_state(home)[0] == State(data="beers", used={"beers": Use("a", "7", "b")})


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of state below a file: nobody, not even root, can make it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CFTUI_STATE_DIR", str(tmp_path / "file" / "state"))
    return tmp_path / "file" / "state"


def test_a_state_that_cannot_be_written_or_read_is_no_failure(unwritable: Path, tmp_path: Path) -> None:
    write_state(Home(tmp_path), WHOLE)
    state, _ = read_state(Home(tmp_path))
    assert state == State()


def test_a_log_that_cannot_be_written_is_no_failure(unwritable: Path) -> None:
    assert settings.log("gone") == settings.log_file()


# The log


def test_the_log_is_appended_to_with_the_time(kept: Path) -> None:
    settings.log("first\n")
    path = settings.log("second")
    assert path == settings.log_file()
    lines = path.read_text().splitlines()
    assert [line[20:] for line in lines] == ["first", "second"]
    assert lines[0][:4].isdigit()


def test_a_log_that_has_grown_large_is_begun_anew_and_the_one_before_kept(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LOG_BYTES", 2_000)
    for number in range(200):
        settings.log(f"{number} {'x' * 100}")
    sizes = {path.name: path.stat().st_size for path in kept.iterdir()}
    assert len(sizes) == 2
    assert all(size <= 2_200 for size in sizes.values())
    text = "".join(path.read_text() for path in kept.iterdir())
    assert "199 xxx" in settings.log_file().read_text()
    assert text.count("\n") >= 2_000 // 130


# Where they are


def test_platform_folders_are_used_where_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CFTUI_CONFIG_DIR", "CFTUI_STATE_DIR"):
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(os.path, "expanduser", lambda path: str(path).replace("~", str(tmp_path)))
    for path in (settings.config_file(), settings.state_file(), settings.log_file()):
        assert tmp_path in path.parents
        assert path.parent.name == "cftui"


@pytest.fixture
def located(config: Path, kept: Path, tiny_runs, tmp_path: Path) -> tuple[Home, dict[str, Path]]:
    """A home in which everything the program keeps has been written by what writes it; and where it came to be."""
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users import profiles

    _, runs = tiny_runs
    home = Home(tmp_path / "home")
    (home.data / "tiny").mkdir(parents=True)
    (home.models / "a.run").mkdir(parents=True)
    model = TrainedModel.load(runs["model4"])
    profile = profiles.save(home, "me", model, np.array([1, 2]), np.array([4.0, 5.0]))
    config.write_text('theme = "nord"\n')
    kept.mkdir(exist_ok=True)
    (kept / "state.json").write_text("{ torn")
    settings.read_state(home)
    write_state(home, WHOLE)
    settings.log_file().write_text("x" * (settings.LOG_BYTES + 1))
    return home, {
        "data sets": home.data / "tiny",
        "profiles": Path(profile),
        "runs": home.models / "a.run",
        "configuration": config,
        "state": kept / "state.json",
        "damaged state": kept / "state.json.bad",
        "log": settings.log("something failed"),
        "older log": kept / "cftui.old.log",
    }


def locate(capsys: pytest.CaptureFixture[str], home: Home, *options: str) -> str:
    capsys.readouterr()
    assert main(lambda *_: 0, ["locate", "--home", str(home.root), *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_locate_names_every_place_as_json_and_things_are_there(located, capsys) -> None:
    home, written = located
    told = json.loads(locate(capsys, home, "--json"))
    assert told.keys() == written.keys()
    for what, path in written.items():
        assert path.exists()
        place = Path(told[what]["path"])
        assert place in (path, *path.parents), what
        assert place != home.root
        assert told[what]["there"] is True


def test_locate_names_every_place_as_text_in_full(located, capsys) -> None:
    home, _ = located
    places = json.loads(locate(capsys, home, "--json"))
    lines = locate(capsys, home).splitlines()
    for what, place in places.items():
        (line,) = [line for line in lines if line.startswith(f"{what} ")]
        assert f" {place['path']} " in line
        assert line.rstrip().endswith("yes")


def test_locate_says_what_is_not_there_yet(kept: Path, config: Path, tmp_path: Path, capsys) -> None:
    told = json.loads(locate(capsys, Home(tmp_path / "new"), "--json"))
    assert not any(place["there"] for place in told.values())
    assert "not yet" in locate(capsys, Home(tmp_path / "new"))
    assert not kept.exists(), "locate only looks"
