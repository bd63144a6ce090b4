"""``cftui data import``, ``list``, ``rm``: from somebody's file to recommendations, and every mistake one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cftui.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def beers(tmp_path: Path) -> tuple[Path, Path]:
    """Half stars by names, semicolons between; and a file of the beers."""
    random = np.random.default_rng(3)
    taste = random.normal(size=(40, 2)) @ random.normal(size=(2, 25))
    rows = [
        f"drinker{user:02};B{item:02};{np.clip(np.rint(6 + 2 * taste[user, item]) / 2, 0.5, 5)};2024-01-{1 + item:02}"
        for user in range(40)
        for item in range(25)
        if random.random() < 0.7
    ]
    ratings, items = tmp_path / "beers.csv", tmp_path / "names.csv"
    ratings.write_text("\n".join(["reviewer_name;beer;stars;when", *rows, ""]))
    names = [f'B{item:02},"Stout, no. {item:02}",Stout|Dark' for item in range(25)]
    items.write_text("\n".join(["beer,name,style", *names, ""]))
    return ratings, items


def bring(cli, home: Home, beers: tuple[Path, Path], *more: str):
    ratings, items = beers
    return cli(
        home, "data", "import", ratings, "--name", "beers", "--time", "when", "--items", items, "--genres", "style",
        "--noun", "beer", "--label", "Beers of the valley", *more,
    )  # fmt: skip


def test_from_a_file_to_recommendations(cli, home: Home, beers: tuple[Path, Path]) -> None:
    outcome = bring(cli, home, beers)
    assert outcome.status == 0
    assert outcome.out.strip() == str(home.data / "beers")
    assert "--user reviewer_name --item beer --rating stars --delimiter ';'" in outcome.err
    assert "0.5 to 5, by 40 users of 25 beers. Next: cftui train model4 --data beers" in outcome.err
    stats = cli(home, "data", "stats", "beers")
    assert "Beers of the valley" in stats.out
    assert "25 ids, 25 titles" in stats.out
    assert "2024-01-01 to 2024-01-25" in stats.out
    assert cli(home, "data", "head", "beers", "--json").json[0]["title"].startswith("Stout, no. ")
    assert cli(home, "data", "crosstab", "beers", "--json").json["users"][0] == "drinker00"
    trained = cli(home, "train", "model4", "--data", "beers", "--epochs", "2", "--json")
    assert trained.lines[-1]["event"] == "done"
    summary = cli(home, "train", "model4", "--data", "beers", "--summary", "--json").json
    assert summary["y_range"] == [-0.625, 5.5625]
    recommended = cli(home, "recommend", "--user", "drinker03", "--json")
    assert recommended.status == 0
    assert "Stout, no. " in recommended.out
    similar = cli(home, "similar", "Stout, no. 07")
    assert similar.status == 0
    shown = [stats, recommended, similar, cli(home, "data", "head", "beers"), cli(home, "bias")]
    assert not any("movie" in (one.out + one.err).casefold() for one in shown)


def test_json_says_what_was_kept(cli, home: Home, beers: tuple[Path, Path]) -> None:
    facts = bring(cli, home, beers, "--json").json
    assert facts["folder"] == str(home.data / "beers")
    assert facts["source"] == str(beers[0])
    assert facts["columns"] == {"user": "reviewer_name", "item": "beer", "rating": "stars", "time": "when"}
    assert (facts["duplicates"], facts["skipped"], facts["rating_range"]) == ("last", 0, [0.5, 5.0])


def test_a_set_without_times(cli, home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,rating\na,x,1\nb,y,2\n")
    assert cli(home, "data", "import", tmp_path / "a.csv", "--name", "own").status == 0
    assert "no times" in cli(home, "data", "stats", "own").out
    assert cli(home, "data", "stats", "own", "--json").json["first"] is None


def test_imported_sets_are_listed_and_can_be_removed(cli, fails, home: Home, beers: tuple[Path, Path]) -> None:
    bring(cli, home, beers)
    assert cli(home, "data", "list", "--json").json[-1] == {
        "name": "beers",
        "label": "Beers of the valley",
        "on_disk": True,
        "folder": str(home.data / "beers"),
    }
    assert "did you mean beers?" in fails(home, "data", "stats", "beer")
    assert "beers is imported, not fetched" in fails(home, "data", "get", "beers")
    assert cli(home, "data", "rm", "beers").status == 0
    assert list(home.data.iterdir()) == []
    assert "no data set 'beers'" in fails(home, "data", "rm", "beers")
    assert "is not in" in fails(home, "data", "rm", "ml-1m")


def test_removing_a_link_leaves_what_it_points_to(cli, home: Home, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "u.data").write_text("x")
    home.data.mkdir(parents=True)
    (home.data / "ml-100k").symlink_to(tmp_path / "kept")
    assert cli(home, "data", "rm", "ml-100k", "--json").json["name"] == "ml-100k"
    assert (tmp_path / "kept" / "u.data").read_text() == "x"
    assert list(home.data.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "more", "status", "complaint"),
    [
        ("a,b,c\n1,2,3\n", [], 1, "no column looks like the user; give --user one of a, b, c"),
        ("user,item,rating\na,b,x\n", [], 1, "1 malformed row: line 2: rating 'x' is not a number; correct the file"),
        ("", [], 1, "an empty file"),
        ("user,item,rating\na,b,1\n", ["--rating", "stars"], 1, "no column 'stars' (--rating); choose from user"),
        (
            "user,item,rating\na,b,1\n",
            ["--user", "item", "--item", "item"],
            1,
            "column 'item' for both --user and --item",
        ),
        ("user,item,rating\na,b,1\n", ["--skip-bad", "-1"], 2, "--skip-bad"),
        ("user,item,rating\na,b,1\n", ["--duplicates", "first"], 2, "--duplicates"),
        ("user,item,rating\na,b,1\n", ["--name", "ml-1m"], 1, "a published or synthetic data set"),
        ("user,item,rating\na,b,1\n", ["--noun", "title"], 1, "--noun title"),
        ("user,item,rating\na,b,1\n", ["--items", "/nowhere.csv"], 1, "all ratings are of one user"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    content: str, more: list[str], status: int, complaint: str, cli, home: Home, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(content)
    outcome = cli(home, "data", "import", tmp_path / "a.csv", "--name", "own", *more)
    assert outcome.status == status
    assert outcome.out == ""
    assert complaint in outcome.err.splitlines()[-1]
    assert "internal error" not in outcome.err
    assert not home.data.exists() or list(home.data.iterdir()) == []


def test_a_guessed_time_that_cannot_be_read_is_left_out(cli, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "dated.csv"
    file.write_text("user,item,rating,timestamp\n" + "".join(f"u{n},b{n % 5},{1 + n % 5},{n}x\n" for n in range(20)))
    guessed = cli(home, "data", "import", file, "--name", "dated")
    assert guessed.status == 0
    assert "the times are left out, since 20 of 20 cannot be read (line 2: time '0x'" in guessed.err
    refused = cli(home, "data", "import", file, "--name", "dated", "--time", "timestamp")
    assert refused.status != 0
    assert "give another --time: most rows are malformed" in refused.err
    assert cli(home, "data", "import", file, "--name", "dated", "--time", "").status == 0
    assert cli(home, "data", "stats", "dated").status == 0
