"""Losses of 1e-13 and of 1e11, wide titles, and streams that are not UTF-8."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
import torch
from rich.cells import cell_len

from cftui.analysis.maps.components import principal
from cftui.analysis.users.people import Person
from cftui.cli.output import make_streams_lenient, print_json, print_table
from cftui.cli.train import epoch_row
from cftui.engine.models.architectures import DotProductBias, Shape
from cftui.text import number, parts_in_words, scaled, scaled_width, share, spec
from cftui.tui.shell.rows import person_line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.87654321, "0.876543"),
        (0.0, "0.000000"),
        (1.25e-13, "1.25000e-13"),
        (2.5e11, "2.50000e+11"),
        (1e4, "1.00000e+04"),
    ],
)
def test_a_figure_of_any_magnitude_has_significant_digits(value: float, text: str) -> None:
    assert number(value, 6) == text


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (0.004, (1, 5), "+0.00"),
        (3.526, (1, 5), "+3.53"),
        (51.25, (0, 100), "+51.25"),
        (-3.5e-7, (1e-7, 5e-7), "-3.50e-07"),
        (2.5e9, (-1e9, 1e9), "+2.50e+09"),
    ],
)
def test_a_figure_on_a_scale_has_the_digits_of_the_scale(value: float, scale: tuple, text: str) -> None:
    assert scaled(value, scale, "+") == text
    assert scaled_width(scale, "+") >= len(scaled(scale[1], scale, "+"))


@pytest.mark.parametrize(("ratings", "text"), [([4, 3], "mean 3.50"), ([4e-7, 3e-7], "mean 3.50e-07")])
def test_the_mean_of_a_users_ratings_is_never_0_for_want_of_digits(ratings: list[float], text: str) -> None:
    who = Person("ann", np.zeros(1, np.float32), np.array([1, 2]), np.array(ratings, np.float32), trained=True)
    assert person_line(who) == f"2 ratings, {text}"


def test_the_figures_of_a_column_share_their_form() -> None:
    assert spec([0.5, 1e-9], 4) == ".4f"
    assert spec([5e-9, 1e-9, float("nan")], 4, "+") == "+.3e"


@pytest.mark.parametrize("scale", [1e-13, 1.0, 1e11])
def test_the_epoch_table_is_aligned(scale: float) -> None:
    event = {"epoch": 0, "train_loss": scale, "valid_loss": 2 * scale, "rmse": scale**0.5, "seconds": 1.0}
    row = epoch_row(event)  # type: ignore[arg-type]
    assert row.startswith("    0 ")
    assert float(row.split()[1]) == pytest.approx(scale)
    assert [row[at] for at in (17, 29, 37, 38)] == [" "] * 4
    assert [row[at] != " " for at in (16, 28, 36, 39)] == [True] * 4


@pytest.mark.parametrize(("rmse", "text"), [(31_415.9, "31,416"), (2.5e6, "2.5e+06"), (0.00012, "0.00012")])
def test_the_rmse_has_as_many_digits_as_its_column_holds(rmse: float, text: str) -> None:
    event = {"epoch": 0, "train_loss": rmse**2, "valid_loss": rmse**2, "rmse": rmse, "seconds": 1.0}
    assert epoch_row(event).split()[3] == text  # type: ignore[arg-type]


def test_columns_are_aligned_by_the_cells_of_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    titles = ["千と千尋の神隠し", "Fargo", "Amélie 🎬"]
    print_table([{"film": title, "rating": 3} for title in titles])
    heading, *lines = capsys.readouterr().out.splitlines()
    assert {cell_len(line) for line in (heading, *lines)} == {cell_len(heading)}
    assert heading.startswith("film")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_data_reaches_a_stream_that_is_not_utf_8(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    make_streams_lenient()
    print_table([{"film": "千 Amélie"}])
    print_json({"film": "千 Amélie"})
    sys.stdout.flush()
    text = raw.getvalue().decode(encoding)
    assert "\\u5343" in text
    assert json.loads(text.splitlines()[-1]) == {"film": "千 Amélie"}


def test_what_trains_and_validates_is_said_in_words() -> None:
    sizes = {"train": 6180, "valid": 60, "train_users": 2000, "valid_users": 20}
    assert parts_in_words(sizes) == "trains on 6,180 ratings of 2,000 users, validates on 60 of 20"
    assert parts_in_words({**sizes, "train": 1, "train_users": 1, "valid": 0}) == "trains on 1 rating of 1 user"
    assert parts_in_words({}) == ""


def test_a_component_without_variance_is_zero() -> None:
    found = principal(np.array([[1.0, 2, 3], [2, 4, 6], [4, 8, 12]]))
    assert found.variance[1] == 0
    assert (found.u[:, 1] == 0).all()
    assert found.variance[0] == pytest.approx(1)
    assert [share(one) for one in found.variance] == ["100.0%", "empty"]


def test_lists_are_ranked_by_the_score_that_is_shown() -> None:
    """Beyond the flat ends of the sigmoid, items that differ before it are shown alike."""
    model = DotProductBias(Shape(3, 4, 2, (-0.25, 1.125), (0.0, 1.0)))
    with torch.no_grad():
        model.user_factors.weight.fill_(1.0)
        model.item_factors.weight.copy_(torch.tensor([[0.0, 0], [30, 10], [60, 20], [-1, 0]]))
        users = torch.tensor([1, 2])
        ranked, shown = model.scores(users), model.score_rows(model.user_rows(users))
    torch.testing.assert_close(ranked, shown)
    assert shown[0, 1] == shown[0, 2] == ranked[0, 1] == ranked[0, 2]
