"""How a run's lists compare with popularity's: judged once, and kept in the folder of the run."""

from __future__ import annotations

from contextlib import suppress

from cftui.analysis.evaluation.lists import difference
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.list_baselines import better_popularity, liked
from cftui.engine.rankings import Evaluation, evaluate_rankings, popularity, predicted
from cftui.engine.runs.verdict import Lists

# Users whose lists are judged; on a larger set a sample.
USERS = 1000
LENGTH = 10


def lists_of(model: TrainedModel, ratings: Ratings) -> Lists | None:
    """How the model's lists compare with popularity's, from its run folder if it is known there.

    None if nothing that is held back is relevant.
    """
    if model.run is not None and (known := model.run.lists()) is not None:
        return known
    parts = model.split(ratings)
    scorers = {
        "model": predicted(model.module),
        "popularity": popularity(ratings, parts),
        "liked": liked(ratings, parts),
    }
    return note_lists(model, better_popularity(evaluate_rankings(ratings, parts, scorers, k=LENGTH, sample=USERS)))


def note_lists(model: TrainedModel, found: Evaluation) -> Lists | None:
    """Keep what an evaluation of ``model`` beside ``popularity`` found; None if it judged nobody."""
    if not found.users:
        return None
    versus = difference(found, "model", "popularity")
    lists = Lists(versus.first, versus.second, versus.of.low, versus.of.high, versus.users)
    if model.run is not None:
        with suppress(OSError):  # it can be judged again
            lists.write(model.run.lists_file)
    return lists
