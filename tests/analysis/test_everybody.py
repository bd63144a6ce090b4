"""Everybody's lists: those that each user gets alone, in a file that a stopped run finishes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cftui.analysis import everybody, ranking
from cftui.analysis.everybody import Wanted, write_lists
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.data.ratings import Ratings
from cftui.errors import CftuiError


@pytest.fixture(params=["ease", "ials", "model4", "bayes", "collab-nn"])
def model(request: pytest.FixtureRequest, tiny_runs) -> TrainedModel:
    return TrainedModel.load(tiny_runs[1][request.param])


def everything(model: TrainedModel, ratings: Ratings, n: int = 4, seen: bool = False) -> Wanted:
    return Wanted(np.unique(ratings.user), n, ranking.ANY.allows(model), seen)


def test_each_list_is_what_the_user_is_recommended_alone(model: TrainedModel, tiny, tiny_runs, tmp_path) -> None:
    assert write_lists(model, tiny, everything(model, tiny), tmp_path / "lists.csv")
    table = pd.read_csv(tmp_path / "lists.csv")
    assert list(table.columns) == ["user", "item", "title", "rank", "score"]
    for user in tiny.users.classes[1:]:
        mine = table[table["user"] == user]
        wanted = ranking.recommend(model, people.person(model, tiny, tiny_runs[0], user), 4)
        assert mine["title"].tolist() == wanted["title"].tolist()
        assert mine["rank"].tolist() == list(range(1, len(wanted) + 1))


def test_whatever_the_size_of_chunks_and_parts(tiny, tiny_runs, tmp_path, monkeypatch) -> None:
    model = TrainedModel.load(tiny_runs[1]["ease"])
    write_lists(model, tiny, everything(model, tiny), tmp_path / "whole.jsonl")
    monkeypatch.setattr(everybody, "PART", 7)
    monkeypatch.setattr(everybody, "CELLS", 60)
    write_lists(model, tiny, everything(model, tiny), tmp_path / "small.jsonl")
    small, whole = (pd.read_json(tmp_path / f"{name}.jsonl", lines=True) for name in ("small", "whole"))
    pd.testing.assert_frame_equal(small, whole, rtol=1e-5)
    rows = [json.loads(line) for line in (tmp_path / "small.jsonl").read_text().splitlines()]
    assert {row["user"] for row in rows} == set(tiny.users.classes[1:])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_stopped_run_goes_on_and_other_wishes_begin_again(tiny, tiny_runs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(everybody, "PART", 6)
    model, target = TrainedModel.load(tiny_runs[1]["ease"]), tmp_path / "lists.csv"
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    assert not write_lists(model, tiny, everything(model, tiny), target, should_stop=stop)
    assert not target.exists()
    parts = sorted((tmp_path / ".lists.csv.parts").glob("*.csv"))
    assert len(parts) == 3
    stamps = [part.stat().st_mtime_ns for part in parts]
    done: list[int] = []

    def again() -> bool:
        # The parts that were there are not made anew.
        assert [part.stat().st_mtime_ns for part in parts] == stamps
        return False

    progress = lambda users, of: done.append(users)  # noqa: E731
    assert write_lists(model, tiny, everything(model, tiny), target, progress=progress, should_stop=again)
    assert done[-1] == 30
    write_lists(model, tiny, everything(model, tiny), tmp_path / "whole.csv")
    assert target.read_text() == (tmp_path / "whole.csv").read_text()
    asked.clear()
    assert not write_lists(model, tiny, everything(model, tiny), target, should_stop=stop)
    assert write_lists(model, tiny, everything(model, tiny, n=2), target)
    assert pd.read_csv(target)["rank"].max() == 2


def test_the_items_and_the_seen_can_be_chosen(tiny, tiny_runs, tmp_path) -> None:
    model, items = TrainedModel.load(tiny_runs[1]["ease"]), np.zeros(len(tiny.items), bool)
    items[[3, 5, 8]] = True
    write_lists(model, tiny, Wanted(np.array([2, 7]), 9, items, seen=True), tmp_path / "all.csv")
    table = pd.read_csv(tmp_path / "all.csv")
    assert table.groupby("user")["title"].apply(set).tolist() == [{model.titles[code] for code in (3, 5, 8)}] * 2
    write_lists(model, tiny, Wanted(np.array([2, 7]), 9, items), tmp_path / "unseen.csv")
    unseen = pd.read_csv(tmp_path / "unseen.csv")
    for code in (2, 7):
        rated = {model.titles[item] for item in tiny.item[tiny.by_user.rows(code)]}
        mine = unseen[unseen["user"] == tiny.users.classes[code]]["title"]
        assert set(mine) == {model.titles[item] for item in (3, 5, 8)} - rated


def test_parquet_holds_the_same_rows(tiny, tiny_runs, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(everybody, "PART", 7)
    model = TrainedModel.load(tiny_runs[1]["ease"])
    for form in ("parquet", "csv"):
        write_lists(model, tiny, everything(model, tiny), tmp_path / f"lists.{form}")
    found, wanted = pd.read_parquet(tmp_path / "lists.parquet"), pd.read_csv(tmp_path / "lists.csv")
    assert found["title"].tolist() == wanted["title"].tolist()
    np.testing.assert_allclose(found["score"], wanted["score"], rtol=1e-6)


def test_what_cannot_be_written_is_said_before_any_work(tiny, tiny_runs, tmp_path, monkeypatch) -> None:
    model = TrainedModel.load(tiny_runs[1]["ease"])
    for target, wrong in ((tmp_path / "x.xls", "must end in"), (tmp_path / "no" / "x.csv", "no folder")):
        with pytest.raises(CftuiError, match=wrong):
            write_lists(model, tiny, everything(model, tiny), target)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(CftuiError, match="writing Parquet needs pyarrow, which is not installed"):
        write_lists(model, tiny, everything(model, tiny), tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []
