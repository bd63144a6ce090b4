"""The evaluation of a run as a few small tables: errors, lists, for whom they are good, intervals, worst errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cftui.analysis.evaluation import accuracy, lists
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.list_baselines import beside_baselines
from cftui.engine.rankings import predicted
from cftui.text import number

# Users whose lists are judged, the length of a list, and how many of the worst errors are shown.
USERS, LENGTH, WORST = 3000, 10, 8
# Terciles of the users by their number of ratings, and of what is relevant by the item's.
WHOM = ("light", "medium", "heavy", "rare", "common", "popular")
NAMES = {"model": "this run", "item_knn": "item kNN"}


@dataclass(frozen=True)
class Section:
    """One table: what it says in a line, then rows of cells by column; a last line says what follows from it.

    Attributes:
        about: what each row is about, if it is one rating: the user's raw id and the item, as the model identifies it.
    """

    title: str
    rows: list[dict[str, str]]
    note: str = ""
    about: tuple[tuple[str, str | int], ...] = ()


def evaluation(model: TrainedModel, ratings: Ratings) -> list[Section]:
    """What there is to say of a run with validation ratings; a section with the reason if there are none."""
    parts = model.split(ratings)
    if not len(parts.valid):
        return [Section(f"split {parts.name} holds nothing back: the run trained on every rating", [])]
    sections = [_errors(model, ratings)] if model.rates else []
    sections += _lists(model, ratings)
    sure = accuracy.calibration(model, ratings)
    if sure is not None:
        rows = [
            {
                "predicted sd": f"fifth {at}",
                "sd": number(part.sd, 3),
                "rmse": number(part.rmse, 3),
                "in 90 %": f"{part.coverage:.1%}",
            }
            for at, part in enumerate(sure.fifths, 1)
        ]
        title = f"{sure.whole.coverage:.1%} of the validation ratings lie in their 90 % intervals"
        sections.append(Section(title, rows))
    if model.rates:
        sections.append(_worst(model, ratings))
    return sections


def _errors(model: TrainedModel, ratings: Ratings) -> Section:
    rows = [
        {
            "part": part,
            "ratings": f"{one.n:,}",
            "MSE": number(one.mse, 4),
            "RMSE": f"{one.rmse:.4f}",
            "MAE": f"{one.mae:.4f}",
        }
        for part, one in accuracy.evaluate(model, ratings).items()
        if one.n
    ]
    return Section("errors of the predicted ratings", rows)


def _lists(model: TrainedModel, ratings: Ratings) -> list[Section]:
    parts = model.split(ratings)
    found = beside_baselines(ratings, parts, {"model": predicted(model.module)}, k=LENGTH, sample=USERS)
    if not found.users:
        return [Section("no lists: nothing that is held back is relevant", [])]
    doubt = lists.doubt(found)
    metrics, alike, whom = [], [], []
    for name, one in found.rankings.items():
        who = NAMES.get(name, name)
        span = f"{doubt[name].low:.3f}-{doubt[name].high:.3f}"
        metrics.append(
            {
                "list": who,
                "NDCG": f"{one.ndcg:.3f}",
                "95 %": span,
                "precision": f"{one.precision:.3f}",
                "recall": f"{one.recall:.3f}",
                "MAP": f"{one.map:.3f}",
                "hit rate": f"{one.hit_rate:.3f}",
            }
        )
        what = lists.beyond(ratings, parts, found, name)
        alike.append(
            {
                "list": who,
                "coverage": f"{what.coverage:.1%}",
                "Gini": f"{what.gini:.2f}",
                "novelty": f"{what.novelty:.2f}",
                "ratings": f"{what.popularity:.0f}",
                "diversity": f"{what.diversity:.2f}",
            }
        )
        each = [*lists.by_activity(ratings, parts, found, name), *lists.by_popularity(ratings, parts, found, name)]
        whom.append({"list": who, **{column: f"{value:.3f}" for column, value in zip(WHOM, each, strict=True)}})
    versus = lists.difference(found, "model", "popularity")
    return [
        Section(f"lists of {LENGTH}, for {found.users:,} users", metrics, versus.in_words("this run", "popularity")),
        Section("what the lists are like", alike),
        Section("NDCG of light to heavy users, share found of rare to popular items", whom),
    ]


def _worst(model: TrainedModel, ratings: Ratings) -> Section:
    valid = model.split(ratings).valid
    given = ratings.rating[valid]
    said = model.predict(ratings.user[valid], ratings.item[valid])
    worst = np.argsort(-np.abs(said - given), kind="stable")[:WORST]
    rows = [
        {
            "user": str(model.users.classes[ratings.user[valid[at]]]),
            "gave": f"{given[at]:g}",
            "predicted": f"{said[at]:.2f}",
            "title": model.titles[ratings.item[valid[at]]],
        }
        for at in worst
    ]
    items = [model.items.classes[code] for code in ratings.item[valid[worst]]]
    return Section("the worst errors", rows, about=tuple(zip((row["user"] for row in rows), items, strict=True)))
