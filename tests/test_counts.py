"""Data without ratings, from the file to the recommendations: plays, purchases, views."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import cftui
from cftui.analysis import ranking
from cftui.analysis.evaluation.lists import beyond
from cftui.analysis.explain.explaining import explain
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.data.store import catalog
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.engine.inputs import input_values
from cftui.engine.list_baselines import beside_baselines
from cftui.engine.models.recipes import RECIPES
from cftui.engine.rankings import predicted
from cftui.engine.training import train
from cftui.errors import CftuiError
from cftui.home import Home
from tests.settings import CHOOSING, RATING, options_for

CPU = torch.device("cpu")


def plays() -> list[tuple[str, str]]:
    """Two tastes: even users play mostly even songs."""
    chance = random.Random(1)
    rows = []
    for user in range(40):
        for _ in range(25):
            song = 2 * chance.randrange(15) + user % 2 if chance.random() < 0.85 else chance.randrange(30)
            rows.append((f"u{user}", f"song {song:02d}"))
    return rows


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with the plays imported, a row for each."""
    file = tmp_path / "plays.csv"
    file.write_text("user,track\n" + "".join(f"{user},{song}\n" for user, song in plays()))
    home = Home(tmp_path / "home")
    import_ratings(file, "plays", home, Asked(no_rating=True, noun="song"))
    return home


def test_repeated_rows_are_counted_as_a_column_of_counts_is(home: Home, tmp_path: Path) -> None:
    counts = pd.Series(plays()).value_counts()
    file = tmp_path / "counts.csv"
    pd.DataFrame({"user": [u for u, _ in counts.index], "track": [s for _, s in counts.index], "n": counts}).to_csv(
        file, index=False
    )
    facts = import_ratings(file, "counts", home, Asked(counts="n", noun="song"))
    assert facts["counted"]
    # A usual column name is guessed, and the guess is reported.
    file.write_text(file.read_text().replace("user,track,n\n", "user,track,plays\n"))
    said: list[str] = []
    guessed = import_ratings(file, "guessed", home, Asked(noun="song"), said.append)
    assert guessed["fingerprint"] == facts["fingerprint"]
    assert any("--counts plays" in line for line in said)
    one, other = (catalog.open_ratings(name, home, "id") for name in ("plays", "counts"))
    assert one.counted
    assert other.counted
    for found in (one, other):
        rows = zip(found.user, found.item, found.rating, strict=True)
        mine = {(found.users.classes[u], found.items.classes[i]): value for u, i, value in rows}
        assert mine == dict(counts)
    assert one.levels == ()


def test_reading_row_by_row_counts_the_same(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    for name, quote in (("plain", ""), ("quoted", '"')):
        file = tmp_path / f"{name}.csv"
        file.write_text("user,track\n" + "".join(f"{quote}{u}{quote},{s}\n" for u, s in plays()))
        import_ratings(file, name, home, Asked(no_rating=True))
    plain, quoted = (catalog.open_ratings(name, home, "id") for name in ("plain", "quoted"))
    assert plain.rating.tolist() == quoted.rating.tolist()
    assert plain.item.tolist() == quoted.item.tolist()


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    home, file = Home(tmp_path / "home"), tmp_path / "plays.csv"
    file.write_text("user,track,n\na,x,2\nb,y,-1\na,y,1\n")
    with pytest.raises(CftuiError, match="or --no-rating if every row is one"):
        import_ratings(file, "plays", home, Asked())
    with pytest.raises(CftuiError, match=r"count '?-1'? is below 0"):
        import_ratings(file, "plays", home, Asked(counts="n"))
    with pytest.raises(CftuiError, match="give one of --rating, --counts and --no-rating"):
        import_ratings(file, "plays", home, Asked(counts="n", no_rating=True))
    assert not home.data.exists() or not list(home.data.iterdir())


@pytest.mark.parametrize("name", CHOOSING)
def test_it_is_recommended_from(name: str, home: Home) -> None:
    row = RECIPES[name]
    run = train(home, row, options_for(row, factors=4), data="plays", device=CPU, name="of-plays")
    model = TrainedModel.load(run)
    ratings = model.ratings(home)
    assert model.counted
    who = people.person(model, ratings, home, "u3")
    best = ranking.recommend(model, who, 3)
    taste = np.array([int(title[-2:]) % 2 for title in model.titles[1:]])
    for user in range(40):
        scores = model.scores(people.person(model, ratings, home, f"u{user}").row)[1:]
        assert scores[taste == user % 2].mean() > scores[taste != user % 2].mean()
    explained = explain(model, who.row, int(best["code"][0]), who=who)
    assert abs(explained.error) < 1e-6
    assert any(term.name.endswith((" x2", " x3", " x4")) for term in explained.terms)
    assert len(ranking.about(model, ratings, 3).histogram) == 0
    parts = model.split(ratings)
    found = beside_baselines(ratings, parts, {"model": predicted(model.module)})
    # Everything held back is relevant.
    assert found.wanted.sum() == len(parts.valid)
    assert "relevant: all that is held back" in found.protocol
    assert found.rankings["model"].ndcg > 1.5 * found.rankings["popularity"].ndcg
    assert beyond(ratings, parts, found, "model").coverage > 0


@pytest.mark.parametrize("name", RATING)
def test_what_predicts_ratings_refuses_it(name: str, home: Home) -> None:
    row = RECIPES[name]
    with pytest.raises(CftuiError, match=f"{name} predicts ratings, and plays has none.*train ease or ials"):
        train(home, row, options_for(row, epochs=1), data="plays", device=CPU, name="x")
    assert not (home.models / "x").exists()


def test_the_first_choice_counts_most() -> None:
    counts = torch.tensor([1.0, 3.0, 7.0])
    assert input_values(counts, (1, 7), counted=True).tolist() == [1, 2, 3]
    assert input_values(counts, (1, 7), graded=False, counted=True).tolist() == [1, 1, 1]


def test_a_frame_of_plays_needs_no_ratings() -> None:
    frame = pd.DataFrame(plays(), columns=["user", "track"])
    data = cftui.load_data(frame, noun="song", counts=True)
    counted = frame.value_counts().reset_index(name="plays")
    other = cftui.load_data(counted, noun="song", counts="plays")
    assert len(data) == len(other) == len(counted)
    model = cftui.fit("ease", data, l2=20.0)
    assert len(model.recommend("u3", 3)) == 3
    with pytest.raises(CftuiError, match="predicts ratings"):
        cftui.fit("model4", data)
    wrong = counted.assign(plays=counted["plays"] - 1)
    with pytest.raises(CftuiError, match="is not above 0"):
        cftui.load_data(wrong, counts="plays")
