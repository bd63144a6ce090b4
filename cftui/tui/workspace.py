"""What the app is working on: one data set, one trained model, one user, at most one run it started or follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cftui.analysis.search import TitleIndex
    from cftui.analysis.trained import TrainedModel
    from cftui.data.ratings import Ratings
    from cftui.data.tables import Tables


@dataclass(eq=False)
class OpenData:
    """A data set read from disk."""

    tables: Tables

    @property
    def name(self) -> str:
        return self.tables.name


@dataclass(eq=False)
class OpenModel:
    """A trained model ready to be asked: with its data set's ratings and its titles indexed."""

    model: TrainedModel
    ratings: Ratings
    index: TitleIndex

    @property
    def name(self) -> str:
        return self.model.run.name
