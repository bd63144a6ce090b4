"""A trained model with the names of its users and items: what every analysis takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

from cftui.analysis.search import TitleIndex
from cftui.data.ratings import Ratings, Vocabulary
from cftui.data.splits import Split, split
from cftui.data.store.catalog import DataSet
from cftui.engine import metrics
from cftui.engine.models.architectures import Architecture, Learned, Shape
from cftui.engine.models.build import build, kept_features, y_range
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import Recipe
from cftui.engine.runs.config import TrainedOn, read_json
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.weights import load_snapshot, load_weights
from cftui.engine.training import open_ratings
from cftui.errors import CftuiError
from cftui.home import Home


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model with the names of what it was trained on, on the CPU.

    Attributes:
        name: the name of its run, or what it was called when it was fitted in memory.
        run: the run folder it was loaded from; None for a model fitted in memory.
        valid_loss: mean squared error on the validation ratings after the last epoch; None without such ratings.
        ndcg: NDCG@10 there, for a model that predicts no ratings.
        device: what it was fitted on, for people.
        noun: what the data set calls an item.
        rating_range: the ends of the scale.
        item_table: per item code: ``title``, ``year``, ``genres``, ``ratings`` and, where the data set has
            them, ``tags`` (row 0 is the unknown).
        epoch: the epoch whose items it shows (``at_epoch``); None for those at the end of training.
        counted: whether it was fitted to counts of what people chose, and not to ratings.
    """

    name: str
    run: RunFolder | None
    recipe: Recipe
    options: Options
    data_name: str
    fingerprint: str
    noun: str
    rating_range: tuple[float, float]
    users: Vocabulary
    items: Vocabulary
    item_table: pd.DataFrame
    module: Architecture
    valid_loss: float | None = None
    ndcg: float | None = None
    device: str = ""
    epoch: int | None = None
    counted: bool = False

    @classmethod
    def fitted(
        cls,
        module: Architecture,
        recipe: Recipe,
        options: Options,
        ratings: Ratings,
        *,
        name: str,
        valid_loss: float | None,
        device: str,
        ndcg: float | None = None,
    ) -> TrainedModel:
        """A model that was fitted in memory. ``module`` is moved to the CPU and frozen."""
        return cls(
            name=name,
            run=None,
            recipe=recipe,
            options=options,
            data_name=ratings.name,
            fingerprint=ratings.fingerprint,
            noun=ratings.noun,
            rating_range=ratings.rating_range,
            users=ratings.users,
            items=ratings.items,
            item_table=ratings.item_table,
            module=module.to("cpu").eval().requires_grad_(False),
            valid_loss=valid_loss,
            ndcg=ndcg,
            counted=ratings.counted,
            device=device,
        )

    @classmethod
    def load(cls, run: RunFolder) -> TrainedModel:
        """Load a run folder.

        Raises:
            CftuiError: a file is missing, truncated, or does not fit the others; it is named.
        """
        config, vocabulary = run.config(), read_json(run.vocabulary_file)
        recipe, options, data = config.recipe, config.options, config.data
        y_bounds = y_range(data.rating_range) if recipe.sigmoid else None
        try:
            users, items = Vocabulary(tuple(vocabulary["users"])), Vocabulary(tuple(vocabulary["items"]))
            table = pd.DataFrame(vocabulary["item_table"])
            table = table[["title", "year", "genres", "ratings", *table.columns.intersection(["tags"])]]
            if len(table) != len(items):
                raise ValueError(f"{len(table)} rows for {len(items)} items")
        except (KeyError, TypeError, ValueError) as error:
            raise CftuiError(f"{run.vocabulary_file}: damaged ({error})") from None
        weights = load_weights(run)
        try:
            factors = getattr(options, "factors", 0)
            shape = Shape(len(users), len(items), factors, y_bounds, data.levels)
            module = build(recipe, kept_features(weights, shape))
        except CftuiError as error:
            raise CftuiError(f"{run.config_file}: {error}") from None
        types = {name: value.dtype for name, value in module.state_dict().items()}
        for name, value in weights.items():
            if value.dtype != types.get(name, value.dtype):
                what = f"does not fit {recipe.name} ({name} is of {value.dtype}, not {types[name]})"
                raise CftuiError(what, where=run.weights_file)
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            detail = str(error).splitlines()[-1].strip()
            raise CftuiError(f"{run.weights_file}: does not fit {recipe.name} ({detail})") from None
        module.eval().requires_grad_(False)
        last = run.history().last
        return cls(
            name=run.name,
            run=run,
            valid_loss=last.get("valid_loss") if last else None,
            ndcg=last.get("ndcg") if last else None,
            counted=data.counted,
            device=config.device,
            recipe=recipe,
            options=options,
            users=users,
            items=items,
            item_table=table,
            module=module,
            rating_range=data.rating_range,
            data_name=data.name,
            fingerprint=data.fingerprint,
            noun=data.noun,
        )

    def at_epoch(self, epoch: int) -> TrainedModel:
        """This model with its item factors and biases as they were after ``epoch``, in half precision.

        Everything that depends on more than the items (predictions, explanations) stays as at the end of training.

        Raises:
            CftuiError: that epoch has no snapshot.
        """
        kept = load_snapshot(self.folder(), epoch)
        earlier = replace(self, epoch=epoch)
        learned = self.learned._replace(item_factors=kept["item_factors"], item_bias=kept.get("item_bias"))
        earlier.__dict__["learned"] = learned
        return earlier

    def folder(self) -> RunFolder:
        """The run folder. Raises CftuiError for a model that was fitted in memory and has none."""
        if self.run is None:
            raise CftuiError(f"{self.name} was fitted in memory and has no run folder")
        return self.run

    @property
    def trained_on(self) -> TrainedOn:
        """Which ratings trained it and which validate it."""
        return TrainedOn.of(self.fingerprint, self.options)

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"

    @cached_property
    def learned(self) -> Learned:
        return self.module.learned()

    @cached_property
    def user_rows(self) -> np.ndarray:
        """float32 ``[users, d]``: everything about each user that predictions depend on; row 0 is the unknown."""
        return self.module.user_rows(torch.arange(len(self.users))).numpy()

    def user_row(self, user: int) -> np.ndarray:
        """The row of one user, float32 ``[d]``; the rows of all users may be too large for memory."""
        with torch.no_grad():
            return self.module.user_rows(torch.tensor([user]))[0].numpy()

    @property
    def rates(self) -> bool:
        """Whether it predicts ratings; otherwise it only scores what a user will choose next."""
        return self.module.rates

    def check_rates(self) -> None:
        """Raises CftuiError if the model does not predict ratings."""
        if not self.rates:
            raise CftuiError(
                f"not available for this model: {self.recipe.name} recommends, and predicts no ratings",
                hint="train a recipe that does, such as bayes",
            )

    @cached_property
    def item_factors(self) -> np.ndarray:
        """float32 ``[items, k]``, row 0 the unknown. Raises CftuiError if the model has no factors."""
        factors = self.learned.item_factors
        if factors is None:
            raise CftuiError(
                f"no factors in this model: {self.recipe.name} has no vector per {self.noun}, "
                "so there are no neighbours, map or embeddings"
            )
        return factors.numpy()

    @property
    def has_factors(self) -> bool:
        """Whether items have vectors, and so neighbours and a place on the map."""
        return self.learned.item_factors is not None

    @cached_property
    def unit_factors(self) -> np.ndarray:
        """``item_factors`` with rows of length one; norms are at least 1e-8, as in the chapter."""
        norms = np.linalg.norm(self.item_factors, axis=1, keepdims=True)
        return self.item_factors / np.maximum(norms, 1e-8)

    @cached_property
    def item_bias(self) -> np.ndarray:
        """float32 ``[items]``. Raises CftuiError if the architecture has no biases."""
        bias = self.learned.item_bias
        if bias is None:
            raise CftuiError(f"{self.name}: {self.recipe.name} has no biases; train a recipe that has, such as model4")
        return bias.numpy()

    @property
    def has_bias(self) -> bool:
        return self.learned.item_bias is not None

    @cached_property
    def titles(self) -> list[str]:
        return self.item_table["title"].tolist()

    @cached_property
    def index(self) -> TitleIndex:
        """The index for title search."""
        return TitleIndex(self.titles, self.counts)

    @cached_property
    def genres(self) -> dict[str, np.ndarray]:
        """Which items are of each genre, bool ``[items]``; the genres sorted."""
        flags = self.item_table["genres"].str.get_dummies("|")
        return {str(name): flags[name].to_numpy(dtype=bool) for name in sorted(flags.columns)}

    @cached_property
    def kinds(self) -> dict[str, np.ndarray]:
        """The items of each genre and each tag, int64 codes ascending; genres come first, then tags, both sorted."""
        found = {name: np.flatnonzero(flags) for name, flags in self.genres.items()}
        if "tags" in self.item_table:
            each = self.item_table["tags"].str.split("|").explode()
            tags = each.index.to_series().groupby(each.to_numpy(), sort=True)
            found |= {str(tag): codes.to_numpy() for tag, codes in tags if tag and tag not in found}
        return found

    @cached_property
    def counts(self) -> np.ndarray:
        """Ratings per item code, int64 ``[items]``."""
        return self.item_table["ratings"].to_numpy(np.int64)

    def rate(self, row: np.ndarray, items: np.ndarray | None = None) -> np.ndarray:
        """Ratings a user with this row ``[d]`` would give the items with these codes ``[n]``: float32 ``[n]``.

        Args:
            row: one of ``user_rows``, or found by folding in.
            items: by default all of them; entry 0 is then the unknown's.

        Raises:
            CftuiError: the model does not predict ratings.
        """
        self.check_rates()
        codes = np.arange(len(self.items)) if items is None else items
        item = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64))
        user = torch.from_numpy(np.asarray(row, dtype=np.float32))
        with torch.no_grad():
            parts = [self.module.rate(user.expand(len(part), -1), part) for part in item.split(metrics.CHUNK)]
        return torch.cat(parts).numpy() if parts else np.empty(0, np.float32)

    def scores(self, row: np.ndarray) -> np.ndarray:
        """How likely a user with this row ``[d]`` is to choose each item: float32 ``[items]``, higher is likelier.

        The scores order items and have no unit; an item without one has -inf. For a model that predicts ratings, they
        are its predictions.
        """
        with torch.no_grad():
            return self.module.score_rows(torch.from_numpy(np.asarray(row, np.float32)).unsqueeze(0))[0].numpy()

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predicted ratings for pairs of codes, ``[n], [n] -> float32 [n]``.

        Raises:
            CftuiError: the model does not predict ratings.
        """
        self.check_rates()
        user, item = (torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64)) for codes in (users, items))
        return metrics.predict(self.module, user, item).numpy()

    def user_code(self, raw: str | int) -> int:
        """Raises CftuiError for a user the model was not trained on."""
        code = self.users.code(raw)
        if code is None:
            ids = self.users.classes[1:]
            raise CftuiError(f"no user {raw} in {self.data_name}; ids run from {ids[0]} to {ids[-1]}", kind="unknown")
        return code

    def item_code(self, wanted: str | int) -> int:
        """The item that is meant: by its key, its title, or words that match one item and no other.

        Raises:
            CftuiError: nothing fits, or several do (the best known are named).
        """
        exact = self.items.code(wanted)
        if exact is not None:
            return exact
        wanted = str(wanted)
        same = [code for code, title in enumerate(self.titles) if code and title == wanted]
        if len(same) == 1:
            return same[0]
        found = same or self.index.search(wanted, limit=6, fuzzy=False)
        if len(found) == 1:
            return found[0]
        if found:
            several = "; ".join(self.titles[code] for code in found[:5]) + ("; ..." if len(found) > 5 else "")
            raise CftuiError(f"{wanted!r} fits several {self.nouns}: {several}", kind="ambiguous")
        near = self.index.search(wanted, limit=3)
        hint = f"did you mean {' or '.join(self.titles[c] for c in near)}?" if near else "try fewer letters"
        raise CftuiError(f"no {self.noun} {wanted!r} in {self.data_name}", hint=hint, kind="unknown")

    def ratings(self, home: Home, source: DataSet | None = None) -> Ratings:
        """The ratings it was trained and validated on.

        Args:
            source: an open data set, which is read only once; used if it is the one the model was trained on.

        Raises:
            CftuiError: the data set is gone, or is no longer the one the run was trained on.
        """
        if source is not None and source.name == self.data_name:
            ratings = source.ratings(self.options.item_key)  # type: ignore[arg-type]
            if ratings.fingerprint == self.fingerprint:
                return ratings
        ratings = open_ratings(home, self.data_name, self.options.item_key)
        if ratings.fingerprint != self.fingerprint:
            raise CftuiError(
                f"{self.name} was trained on another {self.data_name} (fingerprint {self.fingerprint}, "
                f"now {ratings.fingerprint})"
            )
        return ratings

    def split(self, ratings: Ratings) -> Split:
        return split(ratings, self.options.split, self.options.seed)

    def facts(self) -> dict[str, Any]:
        """For headers and ``--json``."""
        facts = {"run": self.name, "recipe": self.recipe.name, "data": self.data_name}
        return facts if self.epoch is None else {**facts, "epoch": self.epoch}
