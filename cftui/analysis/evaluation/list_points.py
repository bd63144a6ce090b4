"""Every run on the same ratings as a point: how accurate its lists are, and how novel what they recommend is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from cftui.analysis.evaluation.lists import novelty
from cftui.analysis.evaluation.side_by_side import alike
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.list_baselines import better_popularity, item_knn, liked
from cftui.engine.rankings import Scorer, evaluate_rankings, popularity, predicted
from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError
from cftui.files import write_json
from cftui.home import Home

# The length of a list, and the users whose lists are judged: on a larger set a sample, always the same ones.
LENGTH, USERS = 10, 1000
MODEL = "model"
BASELINES = {"popularity": "popularity", "item_knn": "item kNN"}


@dataclass(frozen=True)
class Figures:
    """What the lists of one scorer are like.

    Attributes:
        ndcg: their mean NDCG@10.
        novelty: the mean self-information of what they recommend, in bits.
    """

    ndcg: float
    novelty: float


@dataclass(frozen=True)
class Point:
    """The lists of a run, or of a baseline.

    Attributes:
        recipe: "" for a baseline.
    """

    name: str
    recipe: str
    ndcg: float
    novelty: float


def list_points(model: TrainedModel, ratings: Ratings, home: Home) -> Iterator[Point]:
    """The points of the baselines, and of every run that was trained on what this one was, the oldest run first.

    A run is judged once, and the result kept in its folder; a run that cannot be loaded is left out.

    Raises:
        CftuiError: the split holds nothing relevant back to judge lists by.
    """
    parts = model.split(ratings)

    def judge(scorers: Mapping[str, Scorer]) -> dict[str, Figures]:
        found = evaluate_rankings(ratings, parts, scorers, k=LENGTH, sample=USERS)
        if not found.users:
            raise CftuiError(f"no lists to judge: split {parts.name} holds back nothing that is relevant")
        if "liked" in scorers:
            found = better_popularity(found)
        shown = {name: one.items[one.items > 0] for name, one in found.lists.items()}
        return {name: Figures(one.ndcg, novelty(ratings, parts, shown[name])) for name, one in found.rankings.items()}

    runs = alike(model, home)
    kept = {run.name: _kept(run) for run, _ in runs}
    # The baselines are the same for all of these runs: each keeps them, since any run may be removed.
    baselines = next((_without_model(one) for one in kept.values() if one), None) or judge(_baselines(ratings, model))
    for key, name in BASELINES.items():
        if key in baselines:
            yield Point(name, "", **asdict(baselines[key]))
    for run, config in runs:
        known = kept[run.name]
        if known is None:
            try:
                loaded = TrainedModel.load(run)
            except (CftuiError, OSError):
                continue
            known = judge({MODEL: predicted(loaded.module)}) | baselines
            with suppress(OSError):  # it can be judged again
                write_json(run.point_file, {name: asdict(one) for name, one in known.items()})
        yield Point(run.name, config.recipe.name, **asdict(known[MODEL]))


def _baselines(ratings: Ratings, model: TrainedModel) -> dict[str, Scorer]:
    parts = model.split(ratings)
    found = {"popularity": popularity(ratings, parts), "liked": liked(ratings, parts)}
    return found if (knn := item_knn(ratings, parts)) is None else {**found, "item_knn": knn}


def _without_model(known: Mapping[str, Figures]) -> dict[str, Figures]:
    return {name: one for name, one in known.items() if name != MODEL}


def _kept(run: RunFolder) -> dict[str, Figures] | None:
    """What was found before; None if that was before the run was trained last, or the file is damaged."""
    return _read(run.point_file) if run.is_kept(run.point_file) else None


def _read(path: Path) -> dict[str, Figures] | None:
    try:
        known = {name: Figures(**one) for name, one in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    sound = all(isinstance(value, float | int) for one in known.values() for value in (one.ndcg, one.novelty))
    return known if sound and {MODEL, "popularity"} <= known.keys() else None
