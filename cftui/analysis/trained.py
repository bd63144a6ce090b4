"""What a run folder loads to; every analysis takes one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

from cftui.data.ratings import Ratings, Vocabulary
from cftui.data.splits import Split, split
from cftui.engine import metrics
from cftui.engine.architectures import Architecture, Learned, Shape
from cftui.engine.recipes import Options, Recipe
from cftui.engine.runs import RunFolder, read_json
from cftui.engine.trainer import build, y_range
from cftui.engine.training import open_ratings
from cftui.engine.weights import load_weights
from cftui.errors import CftuiError
from cftui.home import Home


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model with the names of what it was trained on, on the CPU.

    Attributes:
        run: where it came from.
        noun: what the data set calls an item.
        item_table: per item code: ``title``, ``year``, ``genres`` and ``ratings`` (row 0 is the unknown).
    """

    run: RunFolder
    recipe: Recipe
    options: Options
    data_name: str
    fingerprint: str
    noun: str
    users: Vocabulary
    items: Vocabulary
    item_table: pd.DataFrame
    module: Architecture

    @classmethod
    def load(cls, run: RunFolder) -> TrainedModel:
        """Raises CftuiError naming the file that is missing, truncated, or does not fit the others."""
        config, vocabulary = run.config(), read_json(run.vocabulary_file)
        try:
            recipe, options, data = Recipe(**config["recipe"]), Options(**config["options"]), config["data"]
            y_bounds = y_range(tuple(data["rating_range"])) if recipe.sigmoid else None
            levels = tuple(data["levels"])
            fields = {"data_name": data["name"], "fingerprint": data["fingerprint"], "noun": data["noun"]}
        except (KeyError, TypeError, ValueError, CftuiError) as error:
            raise CftuiError(f"{run.config_file}: damaged, or of another version of cftui ({error})") from None
        try:
            users, items = Vocabulary(tuple(vocabulary["users"])), Vocabulary(tuple(vocabulary["items"]))
            table = pd.DataFrame(vocabulary["item_table"])[["title", "year", "genres", "ratings"]]
            if len(table) != len(items):
                raise ValueError(f"{len(table)} rows for {len(items)} items")
        except (KeyError, TypeError, ValueError) as error:
            raise CftuiError(f"{run.vocabulary_file}: damaged ({error})") from None
        weights = load_weights(run)
        try:
            module = build(recipe, Shape(len(users), len(items), options.factors, y_bounds, levels))
        except AttributeError:
            raise CftuiError(f"{run.config_file}: no architecture {recipe.architecture!r} in this cftui") from None
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            detail = str(error).splitlines()[-1].strip()
            raise CftuiError(f"{run.weights_file}: does not fit {recipe.name} ({detail})") from None
        module.eval().requires_grad_(False)
        return cls(
            run=run,
            recipe=recipe,
            options=options,
            users=users,
            items=items,
            item_table=table,
            module=module,
            **fields,
        )

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"

    @cached_property
    def learned(self) -> Learned:
        return self.module.learned()

    @cached_property
    def item_factors(self) -> np.ndarray:
        """float32 ``[items, k]``, row 0 the unknown."""
        return self.learned.item_factors.numpy()

    @cached_property
    def item_bias(self) -> np.ndarray:
        """float32 ``[items]``. Raises CftuiError if the architecture has no biases."""
        bias = self.learned.item_bias
        if bias is None:
            raise CftuiError(
                f"{self.run.name}: {self.recipe.name} has no biases; model3 to 5, collab and cross-entropy do"
            )
        return bias.numpy()

    @property
    def has_bias(self) -> bool:
        return self.learned.item_bias is not None

    @cached_property
    def titles(self) -> list[str]:
        return self.item_table["title"].tolist()

    @cached_property
    def counts(self) -> np.ndarray:
        """Ratings per item code, int64 ``[items]``."""
        return self.item_table["ratings"].to_numpy(np.int64)

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predicted ratings for pairs of codes, ``[n], [n] -> float32 [n]``."""
        user, item = (torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64)) for codes in (users, items))
        return metrics.predict(self.module, user, item).numpy()

    def predict_all(self, user: int) -> np.ndarray:
        """Predicted ratings of one user for every item code, float32 ``[items]``; entry 0 is the unknown's."""
        return self.predict(np.full(len(self.items), user), np.arange(len(self.items)))

    def user_code(self, raw: str | int) -> int:
        """Raises CftuiError for a user the model was not trained on."""
        code = self.users.code(raw)
        if code is None:
            ids = self.users.classes[1:]
            raise CftuiError(f"no user {raw} in {self.data_name}; ids run from {ids[0]} to {ids[-1]}")
        return code

    def item_code(self, wanted: str) -> int:
        """The item a person means: its key, its title, or words that find one item and no other.

        Raises:
            CftuiError: nothing fits, or several do (the best known are named).
        """
        from cftui.analysis.search import TitleIndex

        exact = self.items.code(wanted)
        if exact is not None:
            return exact
        same = [code for code, title in enumerate(self.titles) if code and title == wanted]
        if len(same) == 1:
            return same[0]
        found = same or TitleIndex(self.titles, self.counts).search(wanted, limit=6, fuzzy=False)
        if len(found) == 1:
            return found[0]
        if found:
            several = "; ".join(self.titles[code] for code in found[:5]) + ("; ..." if len(found) > 5 else "")
            raise CftuiError(f"{wanted!r} fits several {self.nouns}: {several}")
        near = TitleIndex(self.titles, self.counts).search(wanted, limit=3)
        hint = f"did you mean {' or '.join(self.titles[c] for c in near)}?" if near else "try fewer letters"
        raise CftuiError(f"no {self.noun} {wanted!r} in {self.data_name}; {hint}")

    def ratings(self, home: Home) -> Ratings:
        """The ratings it was trained and validated on.

        Raises:
            CftuiError: the data set is gone, or is no longer the one the run was trained on.
        """
        ratings = open_ratings(home, self.data_name, self.options.item_key)
        if ratings.fingerprint != self.fingerprint:
            raise CftuiError(
                f"{self.run.name} was trained on another {self.data_name} (fingerprint {self.fingerprint}, "
                f"now {ratings.fingerprint})"
            )
        return ratings

    def split(self, ratings: Ratings) -> Split:
        return split(ratings, self.options.split, self.options.seed)

    def facts(self) -> dict[str, Any]:
        """For headers and ``--json``."""
        return {"run": self.run.name, "recipe": self.recipe.name, "data": self.data_name}
