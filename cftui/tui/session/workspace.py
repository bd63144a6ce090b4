"""What the app is working on: one data set, one trained model, one user, at most one run it started or follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cftui.errors import CftuiError
from cftui.text import ranks

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cftui.analysis.pair import Both, Pair
    from cftui.analysis.search import TitleIndex
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users.folding import Fitted, UserPrior
    from cftui.analysis.users.people import Person
    from cftui.data.ratings import Ratings
    from cftui.data.store.catalog import DataSet
    from cftui.data.tables import Tables
    from cftui.engine.models.terms import Baseline
    from cftui.engine.runs.verdict import Lists
    from cftui.home import Home


@dataclass(eq=False)
class OpenData:
    """A data set read from disk.

    Attributes:
        source: its handle, which keeps what was read, so that opening a model does not read it again.
    """

    tables: Tables
    source: DataSet | None = None

    @property
    def name(self) -> str:
        return self.tables.name


@dataclass(eq=False)
class OpenModel:
    """A trained model ready to be asked: with its data set's ratings, and what is asked often found once."""

    model: TrainedModel
    ratings: Ratings
    home: Home

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def both_names(self) -> str:
        """Its name, with that of the run it recommends with: which of the two chooses stands first."""
        return self.name if self.pair is None else f"{self.pair.chooser.name} + {self.pair.rater.name}"

    @cached_property
    def device(self) -> str:
        """What it was trained on: ``cpu``, ``cuda`` ..."""
        return self.model.device.split(",")[0][:16]

    @property
    def index(self) -> TitleIndex:
        return self.model.index

    @cached_property
    def biases(self) -> pd.DataFrame | None:
        """Every item by its bias, the highest first, with the mean of its ratings; None where there are none."""
        from cftui.analysis import ranking

        if not self.model.has_bias:
            return None
        return ranking.biases(self.model, self.ratings)[::-1].reset_index(drop=True)

    @cached_property
    def title_ranks(self) -> np.ndarray:
        """The place of each item in the order of titles [items], so that a list of all items is sorted at once."""
        import numpy as np

        return np.array(ranks(self.model.titles))

    @cached_property
    def sure(self) -> bool:
        """Whether its predictions come with intervals."""
        from cftui.analysis.evaluation.intervals import has_intervals

        return has_intervals(self.model)

    @cached_property
    def pair(self) -> Pair | None:
        """This model with the best run of the other kind on the same ratings, if there is one."""
        from cftui.analysis.pair import find_pair

        return find_pair(self.model, self.ratings, self.home)

    @cached_property
    def lists(self) -> Lists | None:
        """How its recommendations compare with a list of the most popular items."""
        from cftui.analysis.evaluation.beside_popularity import lists_of

        return lists_of(self.model, self.ratings)

    def both(self, name: str) -> Both | None:
        """A user in both models of the pair; None without a pair."""
        return None if self.pair is None else self.pair.person(self.ratings, self.home, name)

    @property
    def unit(self) -> str:
        """What its training is counted in: an epoch, or a sweep."""
        return self.model.recipe.fitting.unit

    @property
    def folds_in(self) -> bool:
        """Whether a new user can be found from ratings."""
        return self.model.module.folds_in

    @cached_property
    def prior(self) -> UserPrior | None:
        """The distribution of users that new ones are folded in with; None if the model cannot fold in, or has none."""
        from cftui.analysis.users import folding

        return folding.prior(self.model) if self.model.module.folds_in else None

    @cached_property
    def baseline(self) -> Baseline | None:
        """What its explanations start from; None if it has no explanation."""
        from cftui.analysis.explain import explaining as explain

        return explain.baseline(self.model)

    @cached_property
    def epochs(self) -> list[int]:
        """The epochs whose items were kept, but for one that is the model as trained."""
        import numpy as np

        from cftui.engine.runs.weights import snapshots

        if self.model.run is None or not self.model.has_factors:
            return []
        kept = list(snapshots(self.model.run))
        try:
            if kept and np.allclose(self.model.at_epoch(kept[-1]).item_factors, self.model.item_factors, atol=1e-3):
                kept.pop()
        except CftuiError:
            # It is said when somebody goes there: without the past, too, the model can be looked at.
            return kept
        return kept

    def at(self, epoch: int | None) -> TrainedModel:
        """The model as it was after that epoch, or as trained. Raises CftuiError if that epoch was not kept."""
        if epoch is None:
            return self.model
        if self._earlier is None or self._earlier.epoch != epoch:
            self._earlier = self.model.at_epoch(epoch)
        return self._earlier

    _earlier: TrainedModel | None = None

    def code_of(self, item: str | int) -> int | None:
        """The code of an item by what identifies it in this model, or by its title; None if it has no such item."""
        code = self.model.items.code(item)
        if code is None and item in self.model.titles:
            code = self.model.titles.index(item)
        return code or None

    def person(self, name: str) -> Person:
        """A trained user or a saved profile. Raises CftuiError if there is neither, or the profile is damaged."""
        from cftui.analysis.users import people

        return people.person(self.model, self.ratings, self.home, name)

    def fitted(self, who: Person) -> Fitted:
        """A user folded in from ratings, computed once for all items."""
        from cftui.analysis.users import folding

        if self._fitted is None or self._fitted[0] is not who:
            self._fitted = who, folding.fit(self.model, who.items, who.given, self.prior)
        return self._fitted[1]

    _fitted: tuple[Person, Fitted] | None = None

    def prepare(self) -> None:
        """Find what the first key press would otherwise have to wait for; for a thread."""
        _ = self.ratings.by_item, self.ratings.by_user, self.ratings.levels, self.ratings.mean, self.biases
        _ = self.title_ranks
        _ = self.model.kinds, self.model.index, self.prior, self.baseline, self.epochs, self.pair, self.lists
        if self.model.has_factors:
            _ = self.model.unit_factors


def try_epoch(epochs: Sequence[int], now: int | None, step: int, unit: str = "epoch") -> int | None:
    """Return the kept epoch before or after ``now``. None is the model as trained, which comes after the last one.

    Raises:
        CftuiError: The run kept no epochs.
    """
    if not epochs:
        raise CftuiError(f"no {unit}s were kept of this run")
    places: list[int | None] = [*epochs, None]
    at = places.index(now) if now in places else len(places) - 1
    return places[min(max(at + step, 0), len(places) - 1)]
