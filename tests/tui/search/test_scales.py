"""Figures on the screens for ratings of any magnitude: significant digits, none of them cut."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from cftui.analysis.trained import TrainedModel
from cftui.cli.main import main
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.engine.runs.folder import find
from cftui.home import Home
from cftui.tui.session.workspace import OpenModel
from tests.tui.looking import app_with, page, searching, wait


@pytest.fixture
def opened(tmp_path: Path, request: pytest.FixtureRequest) -> OpenModel:
    """A run on 540 ratings of 1 to 5 times the parameter."""
    home, draw = Home(tmp_path / "home"), random.Random(1)
    rows = [
        f"u{u},i{i},{draw.randint(1, 5) * request.param:.9g}\n" for u in range(30) for i in draw.sample(range(25), 18)
    ]
    (tmp_path / "own.csv").write_text("user,item,rating\n" + "".join(rows))
    import_ratings(tmp_path / "own.csv", "own", home, Asked(rating="rating"))
    assert (
        main(
            lambda *_: 0, ["train", "model4", "--data", "own", "--name", "own", "--epochs", "1", f"--home={home.root}"]
        )
        == 0
    )
    model = TrainedModel.load(find(home, "own"))
    found = OpenModel(model, model.ratings(home), home)
    found.prepare()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("opened", "mean", "bias"),
    [
        (1e-7, r"[1-5]\.\d\de-07", r"[+-]\d\.\d\de-\d\d"),
        (1.0, r"[1-5]\.\d\d", r"[+-]0\.\d\d"),
        (1e6, r"[1-5]\d{6}\.\d\d", r"[+-]\d+\.\d\d"),
    ],
    indirect=["opened"],
)
async def test_search_shows_ratings_of_any_magnitude(opened: OpenModel, mean: str, bias: str) -> None:
    app = app_with(opened)
    async with searching(app, (120, 34)) as pilot:
        await pilot.press("escape")
        await wait(pilot, lambda: re.search(rf"mean {mean}", page(app)))
        assert re.search(rf"bias {bias}, no\. ", page(app))
        assert re.search(rf"why {mean} for ", page(app))
        assert re.search(rf"\b{mean} i\d+ ", page(app))  # what is recommended
        await pilot.press("b")
        await wait(pilot, lambda: "bias of every item" in page(app))
        assert re.search(rf"{bias}\d? +{mean} +\d+ +i\d+", page(app))
