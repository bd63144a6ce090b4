"""What can be wrong with a question about a trained model: one line, status 1 (2 for usage), nothing written."""

from __future__ import annotations

import dataclasses
import json

import pytest

from cftui.data.store.catalog import KNOWN
from cftui.home import Home

from ..conftest import read_tiny

FARGO = "Fargo (1996)"
M4 = ("--run", "model4.run")

# {home} stands for a folder of which nothing may change; mine.csv and map.csv lie in it.
CASES = {
    "bias of an epoch not kept": (("bias", "model4.run", "--epoch", "9"), "no snapshot of epoch 9; kept are 0, 1"),
    "bias search without biases": (("bias", "model1.run", "--search", "film"), "model1 has no biases"),
    "bias csv without biases": (("bias", "model1.run", "--csv", "{home}/x.csv"), "model1 has no biases"),
    "bias csv into no folder": (
        ("bias", "model4.run", "--csv", "{home}/no/x.csv"),
        "no folder {home}/no; create it, or give another --csv",
    ),
    "similar of an epoch not kept": (("similar", FARGO, *M4, "--epoch", "2"), "no snapshot of epoch 2"),
    "similar of no genre": (("similar", FARGO, *M4, "--genre", "wetsern"), "'wetsern'; did you mean Western?"),
    "similar csv into no folder": (("similar", FARGO, *M4, "--csv", "{home}/no/x.csv"), "no folder {home}/no"),
    "similar csv of no genre": (("similar", FARGO, *M4, "--genre", "x", "--csv", "{home}/x.csv"), "no genre 'x'"),
    "about no title": (("about", "fergo 1996", *M4), "no movie 'fergo 1996' in tiny; did you mean Fargo (1996)"),
    "about two titles": (("about", "fargo", *M4), "'fargo' fits several movies: Fargo Revisited (1999); Fargo (1996)"),
    "about of no run": (("about", FARGO, "--run", "nothing"), "no run 'nothing'"),
    "predict for nobody": (("predict", FARGO, "--user", "anna", *M4), "no user anna in tiny; ids run from 1 to 30"),
    "predict of no title": (("predict", "qqqq", "--user", "3", *M4, "--explain"), "no movie 'qqqq' in tiny"),
    "recommend of no genre": (("recommend", "--user", "3", *M4, "--genre", "x"), "no genre 'x'; choose from Action"),
    "recommend csv into no folder": (
        ("recommend", "--user", "3", *M4, "--csv", "{home}/no/x.csv"),
        "no folder {home}/no",
    ),
    "nobody": (("user", "0", *M4), "no user 0 in tiny"),
    "the unknown user": (("user", "#na#", *M4), "no user #na# in tiny"),
    "foldin of no file": (("foldin", "{home}/gone.csv", *M4), "{home}/gone.csv: no such file"),
    "foldin of another file": (("foldin", "{home}/map.csv", *M4), "{home}/map.csv: needs the columns title and rating"),
    "foldin under a user's id": (("foldin", "{home}/mine.csv", *M4, "--save", "3"), "3 is a user of tiny"),
    "foldin under no name": (("foldin", "{home}/mine.csv", *M4, "--save", "../x"), "a profile's name begins with"),
    "foldin of no genre": (("foldin", "{home}/mine.csv", *M4, "--genre", "x"), "no genre 'x'"),
    "foldin of no genre, to be saved": (
        ("foldin", "{home}/mine.csv", *M4, "--save", "anna", "--genre", "x"),
        "no genre 'x'",
    ),
    "pca of an epoch not kept": (("pca", "model4.run", "--epoch", "2"), "no snapshot of epoch 2"),
    "pca from no file": (("pca", "model4.run", "--from", "{home}/gone.csv"), "{home}/gone.csv: no such file"),
    "pca from another file": (("pca", "model4.run", "--from", "{home}/mine.csv"), "{home}/mine.csv: no column 0 or 1"),
    "pca from too few rows": (("pca", "model4.run", "--from", "{home}/map.csv"), "1 rows without titles"),
    "pca on one place": (("pca", "model4.run", "--x", FARGO, FARGO, "--y", "war", "drama"), "are the same place"),
    "pca on an unclear pole": (("pca", "model4.run", "--x", "fargo", FARGO, "--y", "war", "drama"), "fits several"),
    "pca of no genre": (("pca", "model4.run", "--genre", "x", "--csv", "{home}/x.csv"), "no genre 'x'"),
    "pca csv into no folder": (("pca", "model4.run", "--csv", "{home}/no/x.csv"), "no folder {home}/no"),
    "picture into no folder": (("pca", "model4.run", "--picture", "{home}/no/x.svg"), "{home}/no"),
    "picture of no format": (("pca", "model4.run", "--picture", "{home}/x.gif"), "written as .svg or .png"),
    "picture of no colouring": (
        ("pca", "model4.run", "--picture", "{home}/x.svg", "--colour", "genres"),
        "no colouring 'genres'; did you mean genre?",
    ),
    "picture coloured by no bias": (
        ("pca", "model1.run", "--picture", "{home}/x.svg", "--colour", "bias"),
        "model1 has no biases",
    ),
    "a csv and a picture of no format": (
        ("pca", "model4.run", "--csv", "{home}/x.csv", "--picture", "{home}/x.gif"),
        "written as .svg or .png",
    ),
    "a csv and a picture of no colouring": (
        ("pca", "model4.run", "--csv", "{home}/x.csv", "--picture", "{home}/x.svg", "--colour", "x"),
        "no colouring 'x'",
    ),
    "export of no format": (("export", "model4.run", "--format", "cvs", "--to", "{home}/x"), "did you mean csv?"),
    "export into no folder": (("export", "model4.run", "--to", "{home}/no/x"), "{home}/no: no such folder"),
}


@pytest.fixture
def home(own_home: Home) -> Home:
    (own_home.root / "mine.csv").write_text(f"title,rating\n{FARGO},5\nFilm A (1990),1\n")
    (own_home.root / "map.csv").write_text("0,1\n0.5,1\n")
    return own_home


def trained_on(home: Home, fingerprint: str) -> None:
    """Have model4.run say that it was trained on data of that fingerprint."""
    config = home.models / "model4.run" / "run.json"
    stored = json.loads(config.read_text())
    stored["data"]["fingerprint"] = fingerprint
    config.write_text(json.dumps(stored))


@pytest.mark.parametrize("case", CASES)
def test_a_bad_question_is_one_line_and_harms_nothing(case: str, home: Home, fails, tree) -> None:
    arguments, complaint = (
        [word.format(home=home.root) for word in CASES[case][0]],
        CASES[case][1].format(home=home.root),
    )
    before = tree(home.root)
    assert complaint in fails(home, *arguments)
    assert tree(home.root) == before


USAGE = {
    "another metric": (("similar", FARGO, *M4, "--metric", "manhattan"), "manhattan"),
    "a negative shrinkage": (("similar", FARGO, *M4, "--shrink", "-1"), "--shrink"),
    "a shrinkage that is no number": (("similar", FARGO, *M4, "--shrink", "nan"), "--shrink"),
    "a tolerance that is no number": (("pca", "model4.run", "--near", "--tolerance", "nan"), "--tolerance"),
    "a negative epoch": (("pca", "model4.run", "--epoch", "-1"), "--epoch"),
    "too few terms": (("predict", FARGO, "--user", "3", *M4, "--explain", "-n", "3"), "--rows"),
    "nobody to recommend to": (("recommend", *M4), "--user"),
    "no title": (("about", *M4), "TITLE"),
    "no file": (("foldin", *M4), "FILE"),
    "no ratings to take apart": (("anatomy", "model4.run", "-n", "0"), "--rows"),
    "one axis of two": (("pca", "model4.run", "--y", "war", "drama"), "--x and --y need each other"),
    "another part": (("pca", "model4.run", "--part", "X"), "--part"),
    "another solver": (("pca", "model4.run", "--part", "L", "--solver", "svd"), "--solver"),
    "axes of a part": (
        ("pca", "model4.run", "--x", "war", "drama", "--y", "war", "drama", "--part", "L"),
        "--x/--y and --part exclude each other",
    ),
    "a part of an epoch": (("pca", "model4.run", "--part", "S", "--epoch", "0"), "--part and --epoch exclude"),
    "an epoch of a file": (("pca", "model4.run", "--from", "map.csv", "--epoch", "0"), "--from and --epoch exclude"),
    "a least number for a genre": (("similar", FARGO, *M4, "--genre", "18"), "18"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_said_with_what_is_wrong(case: str, home: Home, fails, tree) -> None:
    arguments, complaint = USAGE[case]
    before = tree(home.root)
    # A genre that is none is an error like any other; the rest is usage.
    assert complaint in fails(home, *arguments, status=1 if "--genre" in arguments else 2)
    assert tree(home.root) == before


def test_a_bad_rating_is_said_with_file_and_line(home: Home, fails, tree) -> None:
    path = home.root / "mine.csv"
    path.write_text(f"title,rating\n{FARGO},5\nFilm A (1990),6\n")
    before = tree(home.root)
    hint = "foldin --scale 1-10 says what the scale of the file is"
    wanted = f"cftui: {path}, line 3: '6' is not a rating from 1 to 5; {hint}"
    assert fails(home, "foldin", path, *M4, "--save", "anna") == wanted
    path.write_text("title,rating\nNosferatu,5\n")
    assert "none of its 1 titles is in tiny" in fails(home, "foldin", path, *M4)
    path.write_text(f"title,rating\n{FARGO},5\nFilm A (1990),6\n")
    assert tree(home.root) == before


def test_a_spoiled_profile_is_named_with_its_line(home: Home, cli, fails) -> None:
    assert cli(home, "foldin", home.root / "mine.csv", *M4, "--save", "anna").status == 0
    path = home.data / "profiles" / "anna.csv"
    path.write_text("title,rating\nFargo (1996),lots\n")
    for verb in (("recommend", "--user", "anna"), ("user", "anna"), ("predict", FARGO, "--user", "anna")):
        assert fails(home, *verb, *M4) == f"cftui: {path}, line 2: 'lots' is not a rating from 1 to 5"


def test_an_unknown_user_is_told_the_saved_profiles(home: Home, cli, fails) -> None:
    for name in ("zoe", "anna"):
        assert cli(home, "foldin", home.root / "mine.csv", *M4, "--save", name).status == 0
    for verb in (("recommend", "--user", "ann"), ("user", "ann"), ("predict", FARGO, "--user", "ann")):
        assert fails(home, *verb, *M4).endswith("ids run from 1 to 30; saved profiles: anna, zoe")


@pytest.mark.parametrize("verb", ["about", "user", "users", "recommend", "anatomy", "bias"])
def test_a_data_set_that_is_another_or_gone_is_said(verb: str, home: Home, fails, tree) -> None:
    arguments = {
        "about": ("about", FARGO, *M4),
        "user": ("user", "3", *M4),
        "users": ("users", *M4),
        "recommend": ("recommend", "--user", "3", *M4),
        "anatomy": ("anatomy", "model4.run"),
        "bias": ("bias", "model4.run"),
    }[verb]
    trained_on(home, "0" * 16)
    before = tree(home.root)
    assert "model4.run was trained on another tiny (fingerprint 0000" in fails(home, *arguments)
    assert tree(home.root) == before
    (home.data / "tiny").rename(home.data / "elsewhere")
    assert "fetch it with: cftui data get tiny" in fails(home, *arguments)


def test_part_of_a_title_is_skipped_and_the_nearest_title_named(home: Home, cli) -> None:
    path = home.root / "mine.csv"
    path.write_text("title,rating\nfarg,5\nFilm A (1990),1\n")
    said = cli(home, "foldin", path, *M4).err
    assert "skipped 1 title that is not exactly that of one movie in tiny: farg (nearest: Fargo (1996))\n" in said
    found = cli(home, "foldin", path, *M4, "--json").json
    assert (found["passed_over"], found["nearest"]) == (["farg"], {"farg": "Fargo (1996)"})


def test_the_scale_of_a_file_is_told_and_a_wrong_one_refused(home: Home, cli, fails) -> None:
    path = home.root / "mine.csv"
    path.write_text("title,rating\nFargo (1996),8\nFilm A (1990),2\n")
    assert "'8' is not a rating from 1 to 5; foldin --scale 1-10" in fails(home, "foldin", path, *M4)
    assert "ratings of 1 to 10 brought to 1 to 5\n" in cli(home, "foldin", path, *M4, "--scale", "1-10").err
    wrong = cli(home, "foldin", path, *M4, "--scale", "ten")
    assert wrong.status == 2
    assert "'ten' is not a scale; write its ends, such as 1-10" in wrong.err


def test_csv_to_a_folder_is_refused_by_its_own_name(home: Home, fails, tree) -> None:
    before = tree(home.root)
    assert f"{home.data}: " in fails(home, "pca", "model4.run", "--csv", home.data)
    assert tree(home.root) == before


def test_titles_send_no_escape_sequences_to_the_terminal(home: Home, cli) -> None:
    path = home.models / "model4.run" / "vocabulary.json"
    path.write_text(path.read_text().replace("Film E (1994)", "Film E\\u001b[31m (1994)"))
    map_file = home.root / "written.csv"
    for verb in (
        ("similar", "film e", *M4),
        ("pca", "model4.run", "--x", "film e", "drama", "--y", "war", "comedy"),
        ("pca", "model4.run", "-n", 9),
        ("pca", "model4.run", "--csv", map_file),
        ("foldin", home.root / "mine.csv", *M4, "-n", 19),
    ):
        done = cli(home, *verb)
        assert done.status == 0
        assert "\x1b" not in done.out + done.err, verb


def test_users_of_whom_not_everything_is_known_are_listed(home: Home, cli, monkeypatch) -> None:
    path = home.data / "tiny" / "u.user"
    text = path.read_text().replace("\n4|23|M|writer|", "\n4|23||writer|")
    path.write_text(text.replace("|M|writer|00002", "|M||00002"))
    fingerprint = read_tiny(path.parent).fingerprint
    monkeypatch.setitem(KNOWN, "tiny", dataclasses.replace(KNOWN["tiny"], fingerprint=fingerprint))
    trained_on(home, fingerprint)
    done = cli(home, "users", *M4, "-n", 30)
    assert done.status == 0, done.err
    assert len(done.out.splitlines()) == 31
    rows = {row["user"]: row for row in cli(home, "users", *M4, "-n", 30, "--json").json["rows"]}
    assert not rows[4].get("gender")
    assert rows[4]["occupation"] == "writer"
    assert cli(home, "user", 4, *M4).status == 0
