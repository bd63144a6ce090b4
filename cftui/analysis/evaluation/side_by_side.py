"""Lists of several runs side by side, for one user after the other: which of them would this person rather have?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cftui.analysis.evaluation.comparing import check_same_ratings
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.list_baselines import better_popularity, liked
from cftui.engine.models.build import architecture
from cftui.engine.rankings import Evaluation, Scorer, evaluate_rankings, popularity, predicted
from cftui.engine.runs.config import RunConfig
from cftui.engine.runs.folder import RunFolder, all_runs, find
from cftui.errors import CftuiError
from cftui.home import Home

# How many runs are compared where nobody has chosen any, popularity not counted; and how long their lists are.
RUNS, LENGTH = 3, 10
# How many lists can be chosen, and the name of the list of the most popular items among them.
LEAST, MOST = 2, 4
POPULARITY = "popularity"
# Users whose lists are compared; on a larger set a sample.
USERS = 3000


@dataclass(frozen=True)
class Place:
    """One item of a list.

    Attributes:
        code: the item.
        hit: whether the user's held-back ratings call it relevant.
        first: its place in the first list, from 1; None if it is not in it.
    """

    code: int
    hit: bool
    first: int | None


@dataclass(frozen=True, eq=False)
class SideBySide:
    """The lists of several runs, judged for the same users.

    Attributes:
        ndcg: the mean NDCG@k of each list, by name; the order is that of the lists.
        users: codes of the judged users, those whose lists differ most first.
    """

    found: Evaluation
    ndcg: Mapping[str, float]
    users: np.ndarray

    @property
    def names(self) -> list[str]:
        return list(self.ndcg)

    def lists(self, user: int) -> dict[str, list[Place]] | None:
        """Each run's list for a user, by its code; None for one who has nothing relevant held back."""
        at = np.flatnonzero(self.found.codes == user)
        if not len(at):
            return None
        first = self.found.lists[self.names[0]].items[at[0]].tolist()
        places = {code: place for place, code in enumerate(first, 1)}
        shown = {}
        for name in self.names:
            one = self.found.lists[name]
            rows = zip(one.items[at[0]].tolist(), one.hits[at[0]].tolist(), strict=True)
            shown[name] = [Place(code, hit, places.get(code)) for code, hit in rows if code > 0]
        return shown


def alike(model: TrainedModel, home: Home) -> list[tuple[RunFolder, RunConfig]]:
    """All runs that can recommend and were trained on what this one was, the oldest first."""
    found = []
    for run in all_runs(home):
        try:
            config = run.config()
        except (CftuiError, OSError):
            continue  # a damaged run is not shown
        if config.trained_on == model.trained_on and run.weights_file.exists():
            found.append((run, config))
    return found


def runs_alike(model: TrainedModel, home: Home) -> list[RunFolder]:
    """The runs that were trained on what this one was, the best of each recipe, and of those the best first.

    Runs that predict ratings are ordered by their loss and come after those that recommend.
    """
    best: dict[str, tuple[tuple[bool, float], RunFolder]] = {}
    for run, config in alike(model, home):
        try:
            score, rates = config.method.score, architecture(config.recipe).rates
            value = dict(run.history().ending or {}).get(score.key)
        except (CftuiError, OSError):
            continue
        if isinstance(value, float) and run.name != model.name:
            key = rates, -value if score.higher_is_better else value
            if config.recipe.name not in best or key < best[config.recipe.name][0]:
                best[config.recipe.name] = key, run
    return [run for _, run in sorted(best.values(), key=lambda one: one[0])]


def check_choice(model: TrainedModel, home: Home, names: Sequence[str]) -> None:
    """Check that the lists of these runs can be shown side by side; ``popularity`` may be one of them.

    Raises:
        CftuiError: they are too few or too many, or one was not trained on the same ratings as ``model``.
    """
    if not LEAST <= len(set(names)) <= MOST:
        how_many = f"{len(set(names))} {'list' if len(set(names)) == 1 else 'lists'}"
        raise CftuiError(f"{how_many} chosen", hint=f"choose {LEAST} to {MOST}, {POPULARITY} may be one of them")
    for name in names:
        if name != POPULARITY:
            run = find(home, name)
            check_same_ratings((model.name, model.trained_on), (run.name, run.config().trained_on))


def side_by_side(
    model: TrainedModel, ratings: Ratings, home: Home, k: int = LENGTH, names: Sequence[str] = ()
) -> SideBySide:
    """Put the lists of several runs on the same ratings side by side.

    Args:
        names: of the runs, in the order of their lists; ``popularity`` is that of the most popular items. Empty: this
            run, the best other runs, and popularity.

    Raises:
        CftuiError: the split holds nothing relevant back to judge lists by, or as in ``check_choice``.
    """
    if names:
        check_choice(model, home, names)
    else:
        names = [model.name, *(run.name for run in runs_alike(model, home)[: RUNS - 1]), POPULARITY]
    parts = model.split(ratings)
    scorers: dict[str, Scorer] = {}
    for name in names:
        if name == POPULARITY:
            scorers |= {POPULARITY: popularity(ratings, parts), "liked": liked(ratings, parts)}
        else:
            one = model if name == model.name else TrainedModel.load(find(home, name))
            scorers[name] = predicted(one.module)
    found = evaluate_rankings(ratings, parts, scorers, k=k, sample=USERS)
    if POPULARITY in scorers:
        found = better_popularity(found)
    if not found.users:
        raise CftuiError(f"no lists to compare: split {parts.name} holds back nothing that is relevant")
    ndcg = {name: one.ndcg for name, one in found.rankings.items()}
    # By how much the users' own NDCGs differ from list to list.
    each = np.stack([found.per_user(found.lists[name])[:, 2] for name in ndcg])
    order = np.argsort(-(each.max(axis=0) - each.min(axis=0)), kind="stable")
    return SideBySide(found, ndcg, found.codes[order])
