"""Ratings of one's own, from the key to a data set that is open and can be trained on; and the data sets at hand."""

from __future__ import annotations

import asyncio
import gzip
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.engine.models.recipes import recipe
from cftui.engine.training import train
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.dataset import import_sample
from cftui.tui.dataset.data_sets import DataSets
from cftui.tui.dataset.import_columns import ColumnTable
from cftui.tui.dataset.import_ratings import ImportScreen
from cftui.tui.dataset.import_sample import read_sample
from cftui.tui.dataset.screen import DatasetScreen
from cftui.tui.main import CftuiApp
from cftui.tui.session import jobs
from cftui.tui.shell.prompt import Confirm

from ...conftest import TINY, write_tiny
from ..looking import SIZE, notices, page, rows, said, subtitle, wait

SMALL = (60, 20)
BEERS = [f"b{number:02}" for number in range(12)]


def evenings(users: int = 20) -> list[str]:
    """Half stars with semicolons, under names of which only two are usual, and a column that is none of the four."""
    draw = random.Random(3)
    lines = ["reviewer;beer;mark;poured;note"]
    for user in range(users):
        for beer in BEERS:
            note = draw.choice(["hoppy", '"flat; warm"', "[b]bold[/b]"])
            lines.append(f"u{user};{beer};{draw.randint(1, 10) / 2};{1_600_000_000 + len(lines)};{note}")
    return lines


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the app is started in, with a file to import, one about its items, and one that is no table."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "evenings.csv").write_text("\n".join(evenings()) + "\n")
    about = [f"{beer},Stout No. {number},Here & Sons\n" for number, beer in enumerate(BEERS)]
    (folder / "beers.csv").write_text("beer,name,brewery\n" + "".join(about))
    (folder / "thesis.pdf").write_bytes(b"%PDF\0\0")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Where the tests run in the background of a shell, they and all that they start would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@asynccontextmanager
async def importing(app: CftuiApp, size: tuple[int, int] = SIZE) -> AsyncIterator[Pilot]:
    """The screen of the key i, its list filled."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait(pilot, lambda: isinstance(app.screen, DatasetScreen) and app.activity)
        await pilot.press("i")
        await wait(pilot, lambda: isinstance(app.screen, ImportScreen) and app.screen._side.text is not None)
        yield pilot


def columns(app: CftuiApp, kind: str = "ratings") -> list[tuple[str, str]]:
    """What each column is marked as, and its name."""
    table = app.screen.query_one(f"#{kind}-columns", ColumnTable)
    labels = (str(column.label).partition("\n") for column in table.ordered_columns)
    return [(mark, name) for mark, _, name in labels]


def told(app: CftuiApp) -> str:
    return said(app, "#import-said")


def field(app: CftuiApp, name: str) -> str:
    return app.screen.query_one(f"#{name}", Input).value


async def choose(pilot: Pilot, text: str, kind: str = "ratings") -> None:
    """Type a path and press enter, as fast as a terminal sends what is pasted; until its columns are there."""
    app = pilot.app
    app.screen.query_one(f"#{kind}-path").focus()
    await pilot.pause()
    for letter in text:
        app.post_message(Key(_character_to_key(letter), letter))
    app.post_message(Key("enter", "\r"))
    await wait(pilot, lambda: app.focused is app.screen.query_one(f"#{kind}-columns"))


async def mark(pilot: Pilot, letter: str, at: int, kind: str = "ratings") -> None:
    table = pilot.app.screen.query_one(f"#{kind}-columns", ColumnTable)
    assert pilot.app.focused is table
    way = at - table.cursor_column
    await pilot.press(*["right" if way > 0 else "left"] * abs(way), letter)
    await pilot.pause()


async def opened(pilot: Pilot, name: str) -> None:
    app: Any = pilot.app
    await wait(pilot, lambda: told_of_failure(app) or (app.opened is not None and app.opened.name == name))
    assert not told_of_failure(app)
    await wait(pilot, lambda: isinstance(app.screen, DatasetScreen) and app.screen.query_one("#head-table").row_count)


def told_of_failure(app: CftuiApp) -> str:
    return told(app) if isinstance(app.screen, ImportScreen) and app.screen._child is None else ""


async def failed(pilot: Pilot) -> str:
    app: Any = pilot.app
    await wait(pilot, lambda: told_of_failure(app))
    return told_of_failure(app)


async def test_half_stars_in_columns_of_other_names_become_a_data_set_that_trains(files, home):
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        assert columns(app) == [("user", "reviewer"), ("item", "beer"), ("", "mark"), ("", "poured"), ("", "note")]
        assert "semicolon" in said(app, "#import-format")
        assert "utf-8" in said(app, "#import-format")
        assert told(app) == "which column is the rating? r marks it, c a count; n: every row is one"
        await mark(pilot, "r", 2)
        await mark(pilot, "t", 3)
        assert columns(app)[2:] == [("rating", "mark"), ("time", "poured"), ("", "note")]
        assert not told(app)
        await pilot.press("enter")
        await opened(pilot, "evenings")
        assert "240 ratings, 0.5 to 5, by 20 users of 12 beers" in notices(app)[-1]
        facts = said(app, "#facts")
        assert "beers    12 ids" in facts
        assert "0.5-5" in facts
        assert "2020-09-13" in facts
    run = train(
        home, recipe("model4"), recipe("model4").options(epochs=1, bs=64), data="evenings", device=torch.device("cpu")
    )
    assert run.history().last["valid_loss"] > 0


async def test_a_wrong_column_is_told_of_before_anything_is_imported_and_can_be_corrected(files, home):
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 4)
        assert told(app) == f"column 'note' holds no ratings: rating {evenings()[1].split(';', 4)[4]!r} is not a number"
        await pilot.press("enter")
        assert app.screen._child is None
        assert "column 'note'" in told(app)
        await mark(pilot, "r", 2)
        assert not told(app)
        # A column has one role, and a role one column.
        await mark(pilot, "u", 1)
        assert columns(app)[:3] == [("", "reviewer"), ("user", "beer"), ("rating", "mark")]
        await mark(pilot, "i", 0)
        await mark(pilot, "u", 0)
        await mark(pilot, "i", 1)
        await mark(pilot, "t", 3)
        await mark(pilot, "t", 3)
        assert [role for role, _ in columns(app)] == ["user", "item", "rating", "", ""]
        await pilot.press("enter")
        await opened(pilot, "evenings")
        assert "no times" in said(app, "#facts")
        assert "timestamp" not in page(app)


@pytest.mark.parametrize("size", [SIZE, pytest.param(SMALL, marks=pytest.mark.slow)], ids=["80x24", "60x20"])
async def test_a_bad_row_is_named_by_its_line_and_can_be_passed_over(size, files, home):
    lines = evenings()
    lines[150] = lines[150].replace(lines[150].split(";")[2], "good", 1)
    lines[200] = "u9;b3"
    (files / "spoilt.csv").write_text("\n".join(lines))
    app = CftuiApp(home)
    async with importing(app, size) as pilot:
        await choose(pilot, "spoilt.csv")
        await mark(pilot, "r", 2)
        await pilot.press("enter")
        reason = await failed(pilot)
        assert reason == (
            "spoilt.csv: 2 malformed rows: line 151: rating 'good' is not a number; line 201: 2 columns where 5 "
            "belong; correct the file, or raise 'skip bad'"
        )
        assert shown_words(app).count(" ".join(reason.split())) == 1, "all of it is in view"
        assert columns(app)[2] == ("rating", "mark")
        assert field(app, "import-name") == "spoilt"
        app.screen.query_one("#import-skip").focus()
        await pilot.press("backspace", "2")
        assert not told(app), "what was wrong before is no longer said"
        await pilot.press("enter")
        await opened(pilot, "spoilt")
        assert len(app.opened.tables.ratings) == 238
        assert "line 151" in notices(app)[-1]


def shown_words(app: CftuiApp) -> str:
    """All there is to read, frames left out, each run of blanks one."""
    return " ".join(page(app).replace("│", " ").split())


async def test_escape_leaves_everything_as_it_was(files, home, tree):
    app = CftuiApp(home)
    before = tree(files.parent)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        await pilot.press("escape")
        await wait(pilot, lambda: isinstance(app.screen, DatasetScreen))
        assert app.opened is None
        assert "Press g" in page(app)
        # And begins anew.
        await pilot.press("i")
        await wait(pilot, lambda: isinstance(app.screen, ImportScreen))
        assert not field(app, "ratings-path")
    assert tree(files.parent) == before


@pytest.mark.slow
async def test_escape_stops_an_import_that_is_going_and_what_was_filled_in_stays(files, home, tree):
    (files / "evenings.csv").write_text("\n".join(evenings(20_000)))
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        before = tree(home.root)
        await pilot.press("enter")
        await wait(pilot, lambda: told(app).startswith("importing evenings.csv ("))
        assert subtitle(app, "#import") == "escape: stop"
        await pilot.press("enter", "escape")
        assert await failed(pilot) == "stopped; nothing was imported"
        assert tree(home.root) == before
        assert columns(app)[2] == ("rating", "mark")
        (files / "evenings.csv").write_text("\n".join(evenings()))
        await pilot.press("enter")
        await opened(pilot, "evenings")


@pytest.mark.slow
async def test_an_import_that_ignores_being_interrupted_is_ended(files, home, monkeypatch):
    """What a shell starts in the background, and all that it starts, does."""
    (files / "evenings.csv").write_text("\n".join(evenings(20_000)))
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        await pilot.press("enter")
        await wait(pilot, lambda: app.screen._child is not None and app.screen._child._process)
        await pilot.press("escape")
        assert await failed(pilot) == "stopped; nothing was imported"
    assert not (home.data / "evenings").exists()


@pytest.mark.slow
async def test_an_import_that_was_stopped_too_late_is_not_denied(files, home, monkeypatch):
    async def run(child: jobs.Job) -> None:
        import_ratings(files / "evenings.csv", "evenings", home, Asked(rating="mark"))
        child.stop()
        raise CftuiError("interrupted", kind="interrupted")

    monkeypatch.setattr(jobs.Job, "run", run)
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        await pilot.press("enter")
        await wait(pilot, lambda: app.opened)
        assert notices(app) == ["evenings: imported before it could be stopped"]


async def test_quitting_ends_an_import_too(files, home):
    (files / "evenings.csv").write_text("\n".join(evenings(80_000)))
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        await pilot.press("enter")
        await wait(pilot, lambda: app.screen._child is not None and app.screen._child._process)
        process = app.screen._child._process
        app.exit()
    await asyncio.wait_for(process.wait(), 30)
    assert not (home.data / "evenings").exists()


@pytest.mark.slow
async def test_what_lies_over_the_screen_when_an_import_ends_does_not_keep_it_open(files, home):
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        await pilot.press("enter")
        await pilot.pause()
        app.push_screen(Confirm("anything?"))
        await wait(pilot, lambda: app.opened)
        await pilot.press("n")
        await wait(pilot, lambda: isinstance(app.screen, DatasetScreen))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing.csv", "no such file: nothing.csv"),
        ("nowhere/a.csv", "nowhere: No such file or directory"),
        ("~nobody-at-all/a.csv", "Could not determine home directory"),
        ("empty.csv", "empty.csv: an empty file"),
        ("thesis.pdf", "thesis.pdf: not text; give a table of ratings such as CSV, JSON lines or Parquet"),
    ],
)
async def test_what_cannot_be_read_is_said_in_a_line_and_the_path_stays(path, reason, files, home):
    (files / "empty.csv").touch()
    app = CftuiApp(home)
    async with importing(app) as pilot:
        app.screen.query_one("#ratings-path", Input).value = path
        await wait(pilot, lambda: reason in told(app))
        await pilot.press("enter", "tab", "enter")
        assert reason in told(app)
        assert field(app, "ratings-path") == path
        # And is got over.
        app.screen.query_one("#ratings-path", Input).value = ""
        await choose(pilot, "evenings.csv")
        assert columns(app)[0] == ("user", "reviewer")


async def test_the_keyboard_finds_a_file_by_a_few_letters(files, home):
    deep = files / "deep" / "er"
    deep.mkdir(parents=True)
    (deep / "RATINGS.CSV").write_text("user,item,rating\n1,2,3\n1,3,4\n2,2,5\n")
    (deep / ".hidden.csv").touch()
    app = CftuiApp(home)
    async with importing(app) as pilot:
        shown = [row.split()[-1] for row in rows(app, "#import-files")]
        assert shown == ["beers.csv", "evenings.csv", "deep/", "thesis.pdf"], "tables first"
        await pilot.press("down", "down", "tab")
        await wait(pilot, lambda: rows(app, "#import-files") and "er/" in rows(app, "#import-files")[0])
        await pilot.press("e", "tab")
        await wait(pilot, lambda: len(rows(app, "#import-files")) == 1 and "RATINGS" in rows(app, "#import-files")[0])
        await pilot.press("r", "a", "enter")
        await wait(pilot, lambda: isinstance(app.focused, ColumnTable))
        assert field(app, "ratings-path") == "deep/er/RATINGS.CSV"
        assert columns(app) == [("user", "user"), ("item", "item"), ("rating", "rating")]
        # Tab goes on from there, and comes to all the fields.
        seen = []
        for _ in range(7):
            await pilot.press("tab")
            seen.append(app.focused.id)
        fields = [f"import-{name}" for name in ("name", "noun", "skip", "more")]
        assert seen == ["items-path", *fields, "ratings-path", "ratings-columns"]


@pytest.mark.slow
async def test_titles_come_from_a_second_file_and_their_column_can_be_changed(files, home):
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        await pilot.press("tab", "down")
        await wait(pilot, lambda: rows(app, "#import-files"))
        await pilot.press(*"bee", "tab")
        await wait(pilot, lambda: app.focused is app.screen.query_one("#items-columns"))
        assert columns(app, "items") == [("item", "beer"), ("title", "name"), ("", "brewery")]
        await mark(pilot, "t", 2, "items")
        assert columns(app, "items") == [("item", "beer"), ("", "name"), ("title", "brewery")]
        await mark(pilot, "t", 1, "items")
        await pilot.press("tab", "tab")
        assert app.screen.query_one("#ratings-columns").display, "the name is about the ratings"
        await pilot.press("enter")
        await opened(pilot, "evenings")
        assert "Stout No. 3" in page(app)


@pytest.mark.slow
async def test_items_that_do_not_fit_are_told_of(files, home):
    (files / "cheeses.csv").write_text("id,name\nc1,Brie\n")
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        await choose(pilot, "cheeses.csv", "items")
        await pilot.press("enter")
        assert told(app) == "which column is the item? Go to it and press i"
        await mark(pilot, "i", 0, "items")
        await pilot.press("enter")
        assert "no id in it (such as 'c1') is the id of a rated item" in await failed(pilot)
        # Without them, then.
        app.screen.query_one("#items-path").focus()
        await pilot.press("end", *["backspace"] * len("cheeses.csv"), "enter")
        await opened(pilot, "evenings")


@pytest.mark.slow
async def test_a_file_without_a_header_has_its_columns_by_number(files, home):
    (files / "u.data").write_text(
        "".join(f"{u}\t{i}\t{(u * i) % 5 + 1}\t88{u}{i}00000\n" for u in (1, 2) for i in (3, 4))
    )
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "u.data")
        roles = [("user", "column 1"), ("item", "column 2"), ("rating", "column 3"), ("time", "column 4")]
        assert columns(app) == roles
        assert "tab" in said(app, "#import-format")
        await mark(pilot, "u", 1)
        await mark(pilot, "i", 0)
        await pilot.press("enter")
        await opened(pilot, "u")
        assert app.opened.tables.users["user"].to_list() == [3, 4]


async def test_another_delimiter_and_another_encoding(files, home):
    text = "user item rating\n" + "".join(f"Zo\xeb{u} {i} {(u + i) % 3}\n" for u in (1, 2) for i in (1, 2))
    (files / "spaced.txt").write_bytes(text.encode("cp1252"))
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "spaced.txt")
        assert "space" in said(app, "#import-format"), "guessed"
        await pilot.press("d")
        await wait(pilot, lambda: len(columns(app)) == 1)
        while len(columns(app)) == 1:
            before = app.screen._side
            await pilot.press("d")
            await wait(pilot, lambda before=before: app.screen._side is not before)
        assert "space" in said(app, "#import-format")
        assert columns(app) == [("user", "user"), ("item", "item"), ("rating", "rating")]
        while app.screen._side.encoding != "latin-1":
            before = app.screen._side
            await pilot.press("e")
            await wait(pilot, lambda before=before: app.screen._side is not before)
        assert "iso8859-1" in said(app, "#import-format")
        assert "Zo\xeb1" in page(app)
        await pilot.press("enter")
        await opened(pilot, "spaced")
        assert app.opened.tables.users["user"].to_list() == ["Zo\xeb1", "Zo\xeb2"]


async def test_the_first_row_is_names_or_data_as_one_says(files, home):
    (files / "words.csv").write_text("wer;was\nann;Tee\nbob;Tee\nann;Milch\nbob;Kaffee\n")
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "words.csv")
        assert "first row: data" in said(app, "#import-format"), "nothing tells words from names"
        await pilot.press("h")
        await wait(pilot, lambda: "first row: names" in said(app, "#import-format"))
        assert "wer" in page(app)
        await pilot.press("question_mark")
        await wait(pilot, lambda: "This column is the user" in page(app))
        await pilot.press("escape")
        await mark(pilot, "u", 0)
        await mark(pilot, "i", 1)
        await pilot.press("n", "enter")
        await opened(pilot, "words")
        assert app.opened.tables.users["user"].to_list() == ["ann", "bob"]


async def test_a_set_of_that_name_is_replaced_only_if_one_says_so(files, home, tree):
    import_ratings(files / "evenings.csv", "evenings", home, Asked(rating="mark"))
    app = CftuiApp(home, Config(data="evenings"))
    before = tree(home.data / "evenings")
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.opened)
        await pilot.press("i")
        await wait(pilot, lambda: isinstance(app.screen, ImportScreen))
        await choose(pilot, "evenings.csv")
        assert field(app, "import-name") == "evenings-2", "nothing is replaced by chance"
        await mark(pilot, "r", 2)
        app.screen.query_one("#import-name", Input).value = "evenings"
        await pilot.press("enter")
        await wait(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        await wait(pilot, lambda: isinstance(app.screen, ImportScreen))
        assert tree(home.data / "evenings") == before
        await pilot.press("enter")
        await wait(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await wait(pilot, lambda: isinstance(app.screen, DatasetScreen))
    assert tree(home.data / "evenings") != before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "value", "reason"),
    [
        ("name", "ml-1m", "name ml-1m: that is a published or synthetic data set; choose another name"),
        ("name", "-rf", "name -rf: letters, digits, dots, dashes and underscores only, and a letter or digit first"),
        ("noun", "rating", "one is a rating: that is the name of something else here; choose another word"),
        ("skip", "many", "skip bad: 'many' is not a valid integer range."),
    ],
)
async def test_a_field_that_will_not_do_is_told_of_by_its_name(what, value, reason, files, home):
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        app.screen.query_one(f"#import-{what}", Input).value = value
        await pilot.press("enter")
        assert await failed(pilot) == reason
        assert app.focused.id == f"import-{what}"


@pytest.mark.slow
async def test_names_and_cells_that_look_like_markup_or_escape_sequences_are_shown_as_text(files, home):
    (files / "[red]odd.csv").write_text("user,item,rating,[/b]\x1b]0;x\x07\n\x1b[31mu1,[b]i1,3,\x9b2J\nu2,i1,4,z\n")
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "[red]odd.csv")
        shown = page(app)
        for text in ("[red]odd.csv", "[b]i1", "[31mu1", "[/b]"):
            assert text in shown
        assert not {"\x1b", "\x07", "\x9b"} & set(shown)
        await mark(pilot, "r", 3)
        assert told(app).startswith("column '[/b]")


@pytest.mark.parametrize("size", [SMALL, SIZE, (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_nothing_that_matters_is_cut_at_any_size(size, files, home):
    app = CftuiApp(home)
    async with importing(app, size) as pilot:
        assert "tab, enter: take it   escape: cancel" in page(app)
        await choose(pilot, "evenings.csv")
        await mark(pilot, "t", 3)
        box = app.screen.query_one("#import").region
        assert app.screen.region.contains_region(box)
        lines = [line[box.x : box.right] for line in page(app).split("\n")[box.y : box.bottom]]
        assert all(line[0] + line[-1] in ("╭╮", "││", "╰╯") for line in lines)
        for words in (
            *("evenings.csv", "d semicolon e utf-8 5 columns", "user item time reviewer beer mark poured note"),
            *("user reviewer item beer rating - time poured", "optional: a file of titles (down: browse)"),
            *(
                "name evenings one is a beer skip bad 0",
                "which column is the rating? r marks it, c a count; n: every row is one",
            ),
            "letters: mark it enter: import escape: cancel",
        ):
            assert words in shown_words(app).replace("─", ""), words
        assert shown_words(app).count(" u0 b0") >= 5, "and rows enough to tell the columns"


@pytest.mark.slow
async def test_no_word_is_of_movies_where_the_data_set_is_not(files, home):
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, "evenings.csv")
        await mark(pilot, "r", 2)
        assert "movie" not in page(app).lower()
        await pilot.press("enter")
        await opened(pilot, "evenings")
        for key in ("h", "c", "u", "m", "question_mark"):
            await pilot.press(key)
            await pilot.pause()
            assert "movie" not in page(app).lower(), key


async def test_only_the_beginning_of_a_file_is_read_for_a_look_at_it(files, monkeypatch):
    monkeypatch.setattr(import_sample, "BYTES", 600)
    whole = gzip.compress("\n".join(evenings(200)).encode(), compresslevel=0)
    (files / "cut.csv.gz").write_bytes(whole[:2000])
    sample = read_sample(files / "cut.csv.gz")
    assert sample.columns == ("reviewer", "beer", "mark", "poured", "note")
    assert all(isinstance(cells, list) for _, cells in sample.rows)
    assert 10 < len(sample.rows) < import_sample.ROWS


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("user,item,rating", ["user", "item", "rating"]),
        ("user,item,Item", ["user", "2", "3"]),
        (",item,rating", ["1", "item", "rating"]),
    ],
)
def test_a_column_goes_by_its_name_where_that_is_the_only_one(header, words, files):
    (files / "a.csv").write_text(f"{header}\nx,y,z\n")
    sample = read_sample(files / "a.csv")
    assert [sample.word(at) for at in range(3)] == words


# The Dataset screen


def footer(app: CftuiApp) -> str:
    return page(app).split("\n")[-1].strip()


async def test_keys_that_need_data_are_not_offered_where_there_are_none(home):
    app = CftuiApp(home)
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.activity)
        assert footer(app) == "g Get data  i Import  o Open  ? Help  q Quit"
        await pilot.press("t", "slash", "d")
        await pilot.pause()
        assert isinstance(app.screen, DatasetScreen)


async def test_they_are_as_soon_as_there_are(files, home):
    import_ratings(files / "evenings.csv", "evenings", home, Asked(rating="mark", noun="beer"))
    app = CftuiApp(home)
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.activity)
        await pilot.press("o")
        await wait(pilot, lambda: isinstance(app.screen, DataSets) and rows(app, "#data-sets-list"))
        assert "evenings" in page(app)
        assert "240 ratings by 20 users of 12 beers" in rows(app, "#data-sets-list")[0]
        await pilot.press("enter")
        await opened(pilot, "evenings")
        await pilot.pause()
        assert footer(app) == "⏎ Search  s Sort  / Filter  t Train  i Import  o Open  ? Help  q Quit"
        await pilot.press("t")
        assert app.current_mode == "train"


async def test_where_no_data_set_is_at_hand_that_is_said(home):
    app = CftuiApp(home)
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.activity)
        await pilot.press("o")
        await wait(pilot, lambda: "no data sets yet" in page(app))
        await pilot.press("enter", "escape")
        await wait(pilot, lambda: isinstance(app.screen, DatasetScreen))


async def test_opening_another_data_set_shows_what_was_learned_of_it(files, home, tiny_known):
    write_tiny(home.data / TINY)
    import_ratings(files / "evenings.csv", "evenings", home, Asked(rating="mark", noun="beer"))
    options, cpu = recipe("model1").options(epochs=1, bs=64, factors=4), torch.device("cpu")
    for name, data in (("of-tiny", TINY), ("of-evenings", "evenings")):
        train(home, recipe("model1"), options, data=data, device=cpu, name=name)
    import_ratings(files / "evenings.csv", "untried", home, Asked(rating="mark"))
    app = CftuiApp(home, Config(data="evenings"))
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen and app.opened)
        assert app.chosen.name == "of-evenings"
        for name, run in ((TINY, "of-tiny"), ("untried", ""), ("evenings", "of-evenings")):
            await pilot.press("o")
            await wait(pilot, lambda: isinstance(app.screen, DataSets) and rows(app, "#data-sets-list"))
            shown = rows(app, "#data-sets-list")
            (now,) = (row for row in shown if row.startswith("*"))
            assert now.split()[1] == app.opened.name
            names = [row.strip("* ").split()[0] for row in shown]
            await pilot.press("home", *["down"] * names.index(name), "enter")
            await opened(pilot, name)
            await wait(pilot, lambda run=run: (app.chosen.name if app.chosen else "") == run and not app.activity)


@pytest.mark.parametrize("size", [SMALL, SIZE, (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_rating_of_a_long_scale_has_a_column_of_the_histogram(size, files, home):
    import_ratings(files / "evenings.csv", "evenings", home, Asked(rating="mark", noun="beer"))
    app = CftuiApp(home, Config(data="evenings"))
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "evenings")
        *body, labels = said(app, "#histogram").split("\n")
        room = app.screen.query_one("#histogram").content_size.width
        cell = min(room // 10, 8)
        assert labels.split() == [f"{level / 2:g}" for level in (range(1, 11) if cell > 3 else (1, 10))]
        assert all(body[-1][cell * at] != " " for at in range(10))
        assert all(len(line) <= room for line in (*body, labels))


async def test_a_rating_without_a_time_shows_none(files, home):
    (files / "some.csv").write_text("user,item,rating,time\na,x,1,\na,y,2,1600000000\nb,x,3,1600000000\n")
    import_ratings(files / "some.csv", "some", home)
    app = CftuiApp(home, Config(data="some"))
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, "some")
        table = app.screen.query_one("#head-table", DataTable)
        assert [str(cell) for cell in table.get_column_at(2)] == ["", "2020-09-13 12:26", "2020-09-13 12:26"]


@pytest.mark.parametrize(("third", "press", "line"), [("", "n", "every row is one"), (",plays", "", "counts plays")])
async def test_plays_become_a_data_set_of_counts(third, press, line, home, tmp_path):
    file, value = tmp_path / "songs.csv", ",3" if third else ""
    rows = [f"u{user},song {song}{value}" for user in range(6) for song in range(5) if (user + song) % 3]
    file.write_text("\n".join([f"user,track{third}", *rows, ""]))
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, str(file))
        if press:
            await pilot.press(press)
            assert "n: every row is one" in told(app), "it was guessed, and can be denied"
            await pilot.press(press)
        await wait(pilot, lambda: line in page(app))
        await pilot.press("enter")
        await opened(pilot, "songs")
        assert app.opened.tables.counted
        assert set(app.opened.tables.ratings["rating"]) == {3.0 if third else 1.0}


async def test_an_odd_value_is_asked_about_and_left_out(home, tmp_path):
    file = tmp_path / "books.csv"
    rows = [f"{user},{item},{(0, 7, 0, 10, 5)[(user * 2 + item) % 5]}" for user in range(8) for item in range(6)]
    file.write_text("\n".join(["user,item,rating", *rows]))
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, str(file))
        assert "z 0 unrated?" in said(app, "#import-marks")
        await pilot.press("z")
        assert "z 0 unrated " in said(app, "#import-marks") + " "
        await pilot.press("enter")
        await opened(pilot, "books")
        left = sum(row.endswith(",0") for row in rows)
        assert set(app.opened.tables.ratings["rating"]) == {5, 7, 10}
        assert len(app.opened.tables.ratings) == len(rows) - left


async def test_options_without_a_field_are_typed_as_for_the_command(home, tmp_path):
    rows = [
        f"{user},{item},{1 + (user + item) % 5},{'tea' if item % 2 else 'cup'}"
        for user in range(6)
        for item in range(6)
    ]
    for name, part in (("train", rows[::2] + rows[1:12:2]), ("the test", rows[13::2])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["user,item,rating,kind", *part, ""]))
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, str(tmp_path / "train.csv"))
        more = app.screen.query_one("#import-more", Input)
        for typed, reason in (
            ("--only 'kind=tea", "more: a quotation mark is not closed"),
            ("--name=other", "more: --name=other cannot be given here"),
            ("--onyl kind=tea", "--onyl"),
            ("--only kid=tea", "kid"),
        ):
            more.value = typed
            await pilot.press("enter")
            assert reason in await failed(pilot)
            assert app.focused is more
        more.value = f"--only kind=tea --test '{tmp_path}/the test.csv'"
        await pilot.press("enter")
        await opened(pilot, "train")
        tea = [row for row in rows if row.endswith("tea")]
        assert len(app.opened.tables.ratings) == len(tea)
        assert app.opened.tables.held_back.sum() == sum(row in tea for row in rows[13::2])


@pytest.mark.parametrize(
    ("content", "guessed", "ratings"),
    [
        ("1\t10\t4\t881250949\n1\t11\t2\t881250950\n2\t10\t5\t881250951\n", ["user", "item", "rating", "time"], 3),
        (",tea,milk,water\nann,4,2,\nbob,5,,1\n", ["user", "item", "rating"], 4),
        ("0 5 7 9\n1 5 8\n2 7 8 9 11\n", ["user", "item"], 9),
        ("user,item,rating,date\na,x,1,soon\nb,y,2,later\n", ["user", "item", "rating", "time"], 2),
    ],
    ids=["no header", "matrix", "lists", "times that are none"],
)
async def test_the_screen_guesses_what_the_command_does(content, guessed, ratings, home, tmp_path):
    file = tmp_path / "own.txt"
    file.write_text(content)
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, str(file))
        assert [role for role, _ in columns(app)] == guessed
        assert not told(app)
        await pilot.press("enter")
        await opened(pilot, "own")
        assert len(app.opened.tables.ratings) == ratings


async def test_the_ratings_of_one_person_are_no_data_set(home, tmp_path):
    (tmp_path / "films.csv").write_text("Date,Name,Year,Letterboxd URI,Rating\n2025-01-16,Split,2016,https://x,4\n")
    app = CftuiApp(home)
    async with importing(app) as pilot:
        await choose(pilot, str(tmp_path / "films.csv"))
        assert "it looks like the ratings of one person; Become a user, in Search" in " ".join(told(app).split())
