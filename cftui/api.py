"""The Python API: data frames in, models and data frames out, with the same numbers as the command line and the app.

Users and items are named by the ids of your data, never by internal codes. Everything that you can put right raises
``CftuiError``, whose message is one line.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from cftui.analysis import ranking
from cftui.analysis.evaluation import accuracy
from cftui.analysis.evaluation.intervals import By, intervals
from cftui.analysis.explain.explaining import explain
from cftui.analysis.exports import export
from cftui.analysis.maps import mapping
from cftui.analysis.pair import Both, Order, Pair
from cftui.analysis.ranking import Filter
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people, profiles
from cftui.analysis.users.people import Person
from cftui.data.frames import tables_of
from cftui.data.ratings import ItemKey, Ratings
from cftui.data.splits import split as split_ratings
from cftui.engine import device as devices
from cftui.engine import rankings, training
from cftui.engine.baselines import baselines
from cftui.engine.fitting import Hooks
from cftui.engine.list_baselines import beside_baselines, list_baselines
from cftui.engine.models.method import LOSS
from cftui.engine.models.recipes import Recipe, all_recipes
from cftui.engine.models.recipes import recipe as recipe_named
from cftui.engine.runs import folder as run_folders
from cftui.engine.runs import summaries
from cftui.engine.runs.events import EpochEvent, Event
from cftui.engine.runs.index import verdict_on
from cftui.engine.runs.verdict import Result, verdict
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.text import plural

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "CftuiError",
    "Data",
    "Model",
    "NewUser",
    "Recipe",
    "Report",
    "fit",
    "load_data",
    "open_run",
    "recipes",
    "runs",
]

Id = str | int
Progress = Callable[[dict[str, Any]], object]
HomePath = str | os.PathLike[str] | None


class Data:
    """Ratings that models can be fitted on. Made by ``load_data``."""

    def __init__(self, ratings: Ratings, home: Home, *, on_disk: bool) -> None:
        self._ratings, self._home, self._on_disk = ratings, home, on_disk

    @property
    def name(self) -> str:
        """The name of the data set."""
        return self._ratings.name

    @property
    def noun(self) -> str:
        """What the data set calls an item, such as ``movie``."""
        return self._ratings.noun

    @property
    def rating_scale(self) -> tuple[float, float]:
        """The lowest and the highest rating."""
        return self._ratings.rating_range

    def __len__(self) -> int:
        """Number of ratings."""
        return len(self._ratings)

    @property
    def ratings(self) -> pd.DataFrame:
        """One row per rating, in file order: ``user``, ``item``, ``rating`` and ``timestamp`` (seconds since 1970).

        Examples:
            >>> data.ratings.columns.tolist()
            ['user', 'item', 'rating', 'timestamp']
        """
        ratings = self._ratings
        users, items = (np.array(side.classes, dtype=object) for side in (ratings.users, ratings.items))
        return pd.DataFrame(
            {
                "user": pd.Series(users[ratings.user]).infer_objects(),
                "item": pd.Series(items[ratings.item]).infer_objects(),
                "rating": ratings.rating,
                "timestamp": ratings.timestamp,
            }
        )

    @property
    def users(self) -> pd.DataFrame:
        """One row per user, indexed by id: the number of ``ratings``, and what else the data set knows of a user."""
        table = self._ratings.user_table.iloc[1:].drop(columns="user", errors="ignore")
        return table.set_axis(_index(self._ratings.users.classes, "user"))

    @property
    def items(self) -> pd.DataFrame:
        """One row per item, indexed by id: ``title``, ``year`` (0 if unknown), ``genres`` and number of ``ratings``."""
        return self._ratings.item_table.iloc[1:].set_axis(_index(self._ratings.items.classes, "item"))

    def __repr__(self) -> str:
        low, high = self.rating_scale
        return (
            f"<Data {self.name}: {plural(len(self), 'rating')} from {low:g} to {high:g}, "
            f"{plural(len(self._ratings.users) - 1, 'user')}, {len(self._ratings.items) - 1:,} {self.noun}s>"
        )


def load_data(
    source: str | Any,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    time: str | None = None,
    title: str | None = None,
    counts: str | bool = False,
    items: Any = None,
    name: str = "frame",
    noun: str = "item",
    item_key: ItemKey | None = None,
    home: HomePath = None,
) -> Data:
    """Load ratings: a data set by its name, or a data frame.

    Args:
        source: the name of a data set that has been fetched or imported (``"ml-100k"``); or a pandas data frame with
            one row per rating. Polars data frames and Arrow tables are converted by their ``to_pandas``.
        user, item, rating, time: the frame's columns; by default guessed from their names, as the import does.
            ``time`` may be missing; it holds datetimes, ISO dates, or seconds (milli-, micro-, nanoseconds) since 1970.
        counts: for plays, purchases or views instead of ratings: the column that counts them, or True if every row is
            one. Repeated rows add up. Only ``ease`` and ``ials`` can be fitted to such data.
        title: the column with the items' titles, in ``source`` or in ``items``; by default guessed in ``items``.
        items: a data frame about the items, with a column of the same ids and optionally titles, ``genres`` (joined by
            ``|``) and ``year``.
        name: what to call a data frame.
        noun: what one item is called: ``"book"``.
        item_key: what identifies an item: ``"id"``, or ``"title"``, which merges items of the same title. By default
            ``"title"`` for a named data set, as on the command line, and ``"id"`` for a data frame.
        home: the folder that holds ``data/`` and ``models/``; by default as for the command line.

    Raises:
        CftuiError: there is no such data set or column, or a cell is missing or not a number; the row is named. If a
            user rated an item more than once, the last rating counts.

    Examples:
        >>> data = cftui.load_data(frame)
        >>> len(data)
        300
    """
    where = Home.find(home)
    if isinstance(source, str):
        if user or item or rating or time or title or counts or items is not None:
            raise CftuiError("columns can be named for a data frame only; a named data set has its own")
        return Data(training.open_ratings(where, source, item_key or "title"), where, on_disk=True)
    tables = tables_of(
        source, items, {"user": user, "item": item, "rating": rating, "time": time, "title": title}, name, noun, counts
    )
    return Data(Ratings.encode(tables, item_key or "id"), where, on_disk=False)


def fit(
    recipe: str | Recipe,
    data: Data | str | Any,
    *,
    device: str = "auto",
    save_as: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Model:
    """Fit a recipe on data.

    Args:
        recipe: its name (``recipes()`` lists all), or a ``Recipe`` of your own.
        data: from ``load_data``, or anything that ``load_data`` takes.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        save_as: keep the model in a run folder of this name, which command line and app can open. Needs a named data
            set. By default the model stays in memory.
        progress: called with a dict after each epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``rmse`` and so on.
        options: the recipe's options by the names of the command line, with underscores: ``epochs=10``, ``wd=0.2``,
            ``factors=64``, ``sweeps=500`` for ``bayes``. ``split`` says which ratings validate: by default ``"random"``
            holds back a fifth; ``"none"`` trains on every rating, with no validation figures, for a model that goes to
            work. ``seed`` seeds split, weights and order.

    Raises:
        CftuiError: the recipe has no such option, a value is not usable, or the device's memory is too small.
        cftui.engine.fitting.Diverged: the loss exploded (a ``CftuiError``, too).

    Examples:
        >>> model = cftui.fit("model4", data, epochs=5, bs=16, seed=1)
        >>> model.split
        'random'
    """
    opened = data if isinstance(data, Data) else load_data(data)
    chosen = recipe_named(recipe) if isinstance(recipe, str) else recipe
    ratings = opened._ratings
    if options.setdefault("item_key", ratings.item_key) != ratings.item_key:
        raise CftuiError(f"the data are keyed by {ratings.item_key}; choose item_key in load_data")
    settings = chosen.options(**options)
    where = devices.choose(device)
    epochs: list[EpochEvent] = []

    def note(event: Event) -> None:
        if event["event"] == "epoch":
            epochs.append(event)
            if progress is not None:
                progress(dict(event))

    if save_as is not None:
        if not opened._on_disk:
            raise CftuiError(
                "save_as needs a data set on disk, so that the run can find its ratings again; "
                "write the frame to a CSV and import it: cftui data import FILE --name NAME"
            )
        run = training.train(
            opened._home,
            chosen,
            settings,
            data=ratings.name,
            device=where,
            name=save_as,
            emit=note,
            stop_requested=lambda: False,
        )
        return Model(TrainedModel.load(run), opened._home, opened, epochs)
    parts = split_ratings(ratings, settings.split, settings.seed)
    fitter = training.fitter_for(chosen, settings, ratings, parts, where)
    fitter.fit(Hooks(emit=note))
    trained = TrainedModel.fitted(
        fitter.model,
        chosen,
        settings,
        ratings,
        name=chosen.name,
        valid_loss=epochs[-1]["valid_loss"] if epochs else None,
        ndcg=epochs[-1].get("ndcg") if epochs else None,
        device=devices.describe(where),
    )
    return Model(trained, opened._home, opened, epochs)


def open_run(name: str = "latest", *, home: HomePath = None) -> Model:
    """Open a run that command line, app or ``fit(save_as=...)`` made.

    Args:
        name: its name, a unique prefix of it, or ``latest``.
        home: the folder that holds ``data/`` and ``models/``.

    Raises:
        CftuiError: there is no such run, or a file of it is missing or damaged.

    Warns:
        UserWarning: the run failed; the model is that of its last sound weights.

    Examples:
        >>> model = cftui.open_run("model4-7f3a")  # doctest: +SKIP
    """
    where = Home.find(home)
    run = run_folders.find(where, name)
    if words := run.failed_in_words():
        warnings.warn(words, stacklevel=2)
    return Model(TrainedModel.load(run), where, None, run.history().epochs)


def recipes() -> pd.DataFrame:
    """The recipes that can be fitted, indexed by name: ``summary``, ``method`` and ``options`` (a dict of defaults).

    Those of other installed packages are included.

    Examples:
        >>> cftui.recipes().loc["model4", "summary"]
        'model3 with weight decay'
    """
    rows = [
        {
            "name": one.name,
            "summary": one.summary,
            "method": one.fitting.name,
            "options": {name: one.default(name) for name in one.described},
        }
        for one in all_recipes().values()
    ]
    return pd.DataFrame(rows).set_index("name")


def runs(*, home: HomePath = None) -> pd.DataFrame:
    """The runs in ``models/``, oldest first, indexed by name: recipe, data set, split, status, losses and times.

    Examples:
        >>> cftui.runs(home=home).empty
        True
    """
    rows = [summaries.summarise(run).as_row() for run in run_folders.all_runs(Home.find(home))]
    columns = list(summaries.RunSummary("").as_row())
    return pd.DataFrame(rows, columns=columns).set_index("name")


class NewUser:
    """A user the model was not trained on, found from a few ratings. Made by ``Model.fold_in``; use it as a user."""

    def __init__(self, person: Person, model: TrainedModel) -> None:
        self._person, self._model = person, model

    @property
    def name(self) -> str:
        """What the user is called."""
        return self._person.name

    @property
    def ratings(self) -> pd.DataFrame:
        """What the user rated: ``item``, ``title`` and ``rating``, the highest rating first."""
        table = people.rated(self._model, self._person)
        return _with_items(self._model, table)[["item", "title", "rating"]]

    def __repr__(self) -> str:
        return f"<NewUser {self.name}: {plural(len(self._person.items), 'rating')}>"


@dataclass(frozen=True)
class Report:
    """How good a model is. Made by ``Model.evaluate``.

    Attributes:
        errors: indexed by part (``train``, ``valid``): number of ``ratings``, ``mse``, ``rmse`` and ``mae`` in rating
            units (squared for ``mse``); empty for a model that predicts no ratings.
        ranking: indexed by what ranks (``model``, ``popularity``, ``item_knn`` where it is quick enough, ``chance``):
            ``precision``, ``recall``, ``ndcg``, ``map``, ``mrr``, ``hit_rate`` and ``rbp`` at k; empty if no validation
            rating is high enough to be relevant.
        protocol: how the lists were judged, in words.
        calibration: for a model with intervals the share of validation ratings inside the 90 % intervals
            (``coverage``), the mean predicted ``sd`` and the ``rmse``, by fifth of predicted sd and for ``all``; else
            None.
    """

    errors: pd.DataFrame
    ranking: pd.DataFrame
    protocol: str
    calibration: pd.DataFrame | None


class Model:
    """A fitted model. Made by ``fit`` and ``open_run``."""

    def __init__(self, trained: TrainedModel, home: Home, data: Data | None, epochs: Iterable[EpochEvent]) -> None:
        self._trained, self._home, self._given, self._epochs = trained, home, data, list(epochs)

    @property
    def name(self) -> str:
        """The name of the run, or of the recipe for a model that was not saved."""
        return self._trained.name

    @property
    def recipe(self) -> str:
        """The name of the recipe."""
        return self._trained.recipe.name

    @property
    def options(self) -> dict[str, Any]:
        """The options it was fitted with."""
        values = self._trained.options.as_json()
        return {name: values[name] for name in self._trained.recipe.described}

    @property
    def split(self) -> str:
        """The split: which ratings trained it and which validated."""
        return self._trained.options.split

    @property
    def epochs(self) -> pd.DataFrame:
        """The epoch table, indexed by epoch (sweep, step): ``train_loss``, ``valid_loss``, ``rmse``, ``mae`` and so on.

        Losses are mean squared errors in rating units squared; ``valid_loss`` is NaN with ``split="none"``.

        Examples:
            >>> model.epochs[["train_loss", "valid_loss"]].shape
            (5, 2)
        """
        unit = self._trained.recipe.fitting.unit
        table = pd.DataFrame(self._epochs).drop(columns="event", errors="ignore")
        return table.rename(columns={"epoch": unit}).set_index(unit) if len(table) else table

    @cached_property
    def verdict(self) -> str:
        """What its validation figure is worth, in a sentence.

        The figure is put beside the baselines of the same split; for a saved run also beside your best other run on the
        same ratings, its own best epoch, and popularity's lists if these have been judged (``cftui eval`` does).

        Examples:
            >>> model.verdict  # doctest: +SKIP
            '0.823: beats item kNN (0.840) by 2.1 %'
        """
        run = self._trained.run
        judged = verdict_on(self._home, run) if run is not None else verdict(self._result())
        return str(judged or "")

    def _result(self) -> Result:
        """What a model in memory came to."""
        model, ratings = self._trained, self.data._ratings
        score, parts = model.recipe.fitting.score, model.split(ratings)
        judge = baselines if score == LOSS else list_baselines
        return Result(
            run=model.name,
            trained_on=model.trained_on,
            score=score,
            value=model.valid_loss if score == LOSS else model.ndcg,
            missing="its figure is not a number" if len(parts.valid) else f"split {parts.name} holds no ratings back",
            baselines=judge(ratings, parts) if len(parts.valid) else {},
            unit=model.recipe.fitting.unit,
        )

    @cached_property
    def data(self) -> Data:
        """What it was fitted on. Raises CftuiError if the data set is gone or has changed."""
        if self._given is not None:
            return self._given
        return Data(self._trained.ratings(self._home), self._home, on_disk=True)

    @overload
    def predict(self, user: Id | NewUser, item: Id) -> float: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, user: ArrayLike, item: ArrayLike) -> np.ndarray: ...

    def predict(self, user: Any, item: Any) -> float | np.ndarray:
        """The rating that a user would give an item, in rating units.

        Args:
            user: an id, a ``NewUser``, or a sequence of ids ``[n]``.
            item: an id or an unambiguous title, or a sequence of ids ``[n]``.

        Returns:
            A float, or float32 ``[n]`` for sequences.

        Raises:
            CftuiError: a user or item is not known, the sequences differ in length, or the model predicts no ratings.

        Examples:
            >>> 1 <= model.predict("ann", "b7") <= 5
            True
        """
        model = self._trained
        one_user, one_item = (
            isinstance(user, str | int | np.integer | NewUser),
            isinstance(item, str | int | np.integer),
        )
        if one_user and one_item:
            code = np.array([model.item_code(_plain(item))])
            return float(model.rate(self._person(user).row, code)[0])
        if one_user:
            codes = _codes(model.items.encode(_column(item)), _column(item), model.noun, model.data_name)
            return model.rate(self._person(user).row, codes)
        users = _column(user)
        wanted = pd.Series([item] * len(users)) if one_item else _column(item)
        if len(users) != len(wanted):
            raise CftuiError(f"{plural(len(users), 'user')} but {plural(len(wanted), 'item')}; give as many of both")
        return model.predict(
            _codes(model.users.encode(users), users, "user", model.data_name),
            _codes(model.items.encode(wanted), wanted, model.noun, model.data_name),
        )

    def predict_interval(self, user: Id | NewUser, item: Id) -> tuple[float, float]:
        """The interval that holds nine of ten such ratings, in rating units, clipped to the rating scale.

        Raises:
            CftuiError: the model gives no intervals (``bayes`` does), or the user or item is not known.

        Examples:
            >>> low, high = sampled.predict_interval("ann", "b7")
            >>> low < high
            True
        """
        code = self._trained.item_code(_plain(item))
        found = intervals(self._trained, self._person(user).row, np.array([code]))
        return float(found.low[0]), float(found.high[0])

    def recommend(
        self,
        user: Id | NewUser,
        n: int = 10,
        *,
        min_ratings: int = 0,
        genre: str = "",
        by: By = "mean",
        rated_by: Model | None = None,
        order: Order = "choice",
    ) -> pd.DataFrame:
        """The items with the highest predicted ratings among those that the user has not rated.

        A model that predicts no ratings (``ease``, ``ials``) puts the likeliest choices first.

        Args:
            min_ratings: leave out items with fewer ratings.
            genre: only items of this genre or tag.
            by: rank by the ``mean``, or by the ``lower`` or ``upper`` end of the mean's 90 % interval (``bayes``).
            rated_by: a second model of the same data, split and seed, which says what the user would rate each item.
                It adds ``place`` (which choice the item is, from 1), ``predicted``, its interval, and ``liked``, the
                probability of a rating that counts as liked.
            order: with ``rated_by``, rank by the ``choice``, by the ``rating``, or by ``both``.

        Returns:
            ``item``, ``title``, ``ratings`` and ``predicted``, the highest first; for models with intervals also
            ``low``, ``high`` and ``uncertainty``. For a model that predicts no ratings ``score`` takes the place of
            ``predicted``; it orders the items and has no unit.

        Raises:
            CftuiError: the user is not known, the model gives no intervals to rank by, or the second model was trained
                on other ratings.

        Examples:
            >>> len(model.recommend("ann", 3))
            3
        """
        only = self._filter(min_ratings, genre)
        if rated_by is None:
            return _with_items(self._trained, ranking.recommend(self._trained, self._person(user), n, only=only, by=by))
        both = Pair.of(self._trained, rated_by._trained, self.data._ratings)
        who = Both(self._person(user), rated_by._same(user))
        return _with_items(self._trained, both.recommend(who, n, only=only, order=order))

    def similar(
        self,
        item: Id,
        n: int = 10,
        *,
        metric: str = "cosine",
        shrink: float = 0.0,
        min_ratings: int = 0,
        genre: str = "",
    ) -> pd.DataFrame:
        """The items nearest to an item by their factors.

        Args:
            metric: ``cosine`` similarity or ``euclidean`` distance.
            shrink: trust an item with n ratings by n / (n + shrink).

        Returns:
            ``item``, ``title``, ``ratings`` and the metric's column, the nearest first. For ``ease``, which compares
            items by its weights, that column is ``weight``.

        Raises:
            CftuiError: the item is not known, or the model has no factors.

        Examples:
            >>> model.similar("b7", 2).columns.tolist()
            ['item', 'title', 'ratings', 'cosine']
        """
        code = self._trained.item_code(_plain(item))
        only = self._filter(min_ratings, genre)
        table = ranking.similar(self._trained, code, n, metric=metric, shrink=shrink, only=only)
        return _with_items(self._trained, table)

    def explain(self, user: Id | NewUser, item: Id) -> pd.DataFrame:
        """The terms that a prediction is the sum of.

        Returns:
            ``term``, ``raw`` (its part of the score before the last step, NaN for a softmax) and ``stars`` (its part of
            the prediction, in rating units). ``attrs`` holds ``prediction``, ``method`` and ``link``, the last step in
            words.

        Raises:
            CftuiError: the user or item is not known, or the model has no explanation.

        Examples:
            >>> terms = model.explain("ann", "b7")
            >>> bool(abs(terms["stars"].sum() - model.predict("ann", "b7")) < 1e-5)
            True
        """
        who = self._person(user)
        answer = explain(self._trained, who.row, self._trained.item_code(_plain(item)), who=who)
        rows = [{"term": term.name, "raw": term.raw, "stars": term.stars} for term in answer.terms]
        table = pd.DataFrame(rows).astype({"raw": float})
        table.attrs |= {"prediction": answer.prediction, "method": answer.method, "link": answer.link}
        return table

    def pulls(self, user: Id | NewUser, item: Id) -> pd.DataFrame:
        """How much each of a user's ratings moves the prediction for an item, by leave-one-out on the folded-in user.

        Returns:
            ``item``, ``title``, ``rating`` and ``pull`` in rating units, the strongest first.

        Raises:
            CftuiError: the user or item is not known, or the model cannot fold in users.

        Examples:
            >>> model.pulls("ann", "b7").columns.tolist()
            ['item', 'title', 'rating', 'pull']
        """
        code = self._trained.item_code(_plain(item))
        return _with_items(self._trained, people.pulls(self._trained, self._person(user), code))

    def fold_in(self, ratings: Mapping[Id, float | None] | pd.Series | pd.DataFrame, name: str = "new user") -> NewUser:
        """A user the model was not trained on, from a few ratings. Nothing is trained; the items stay as they are.

        Args:
            ratings: ratings by item: a mapping or Series from ids or titles to ratings, or a data frame with the
                columns ``item`` (or ``title``) and ``rating``. None or NaN is a like without a rating, which models of
                choices (``ease``, ``ials``) take.
            name: what to call the user.

        Raises:
            CftuiError: an item is not known, a rating is not on the scale, the model cannot fold in users, or it
                predicts ratings and there are only likes.

        Examples:
            >>> me = model.fold_in({"b1": 5, "b2": 1})
            >>> len(model.recommend(me, 3))
            3
        """
        if isinstance(ratings, pd.DataFrame):
            column = next((one for one in ("item", "title") if one in ratings), None)
            if column is None or "rating" not in ratings:
                raise CftuiError("the frame needs the columns item (or title) and rating")
            pairs = list(zip(ratings[column], ratings["rating"], strict=True))
        else:
            pairs = list(ratings.items())
        model, (low, high) = self._trained, self._trained.rating_range
        codes = [model.item_code(_plain(item)) for item, _ in pairs]
        values = np.array([np.nan if value is None else float(value) for _, value in pairs], dtype=np.float32)
        profiles.check_likes(model, values)
        for (item, _), value in zip(pairs, values, strict=True):
            if not np.isnan(value) and not low <= value <= high:
                raise CftuiError(f"rating {value:g} of {item}: must be from {low:g} to {high:g}")
        return NewUser(people.folded(model, name, np.array(codes, dtype=np.int64), values), model)

    def evaluate(self, k: int = 10, *, relevant: float | None = None, users: int | None = None) -> Report:
        """Errors on the training and validation ratings, and the quality of the top-k lists beside popularity's.

        Args:
            k: length of the lists.
            relevant: validation ratings at or above this count as relevant; by default 4 on a scale from 1 to 5.
            users: judge the lists of a sample of this many users; by default of all.

        Raises:
            CftuiError: the data set is gone or has changed, or no validation rating is high enough.

        Examples:
            >>> model.evaluate(k=3).errors.index.tolist()
            ['train', 'valid']
        """
        model, ratings = self._trained, self.data._ratings
        scores = accuracy.evaluate(model, ratings)
        rows = {
            part: {"ratings": score.n, "mse": score.mse, "rmse": score.rmse, "mae": score.mae}
            for part, score in scores.items()
            if score.n
        }
        columns = ["ratings", "mse", "rmse", "mae"]
        errors = pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype({"ratings": int})
        parts = model.split(ratings)
        if relevant is not None:
            rankings.check_threshold(ratings, parts.valid, relevant)
        scorers = {"model": rankings.predicted(model.module)}
        judged = beside_baselines(ratings, parts, scorers, k=k, relevant=relevant, sample=users)
        lists = {name: one.as_json() for name, one in judged.rankings.items()} if judged.users else {}
        sure = accuracy.calibration(model, ratings) if len(parts.valid) else None
        fifths = None
        if sure is not None:
            each = {str(at): asdict(part) for at, part in enumerate(sure.fifths, 1)} | {"all": asdict(sure.whole)}
            fifths = pd.DataFrame(each).T
        return Report(errors, pd.DataFrame(lists).T, judged.protocol, fifths)

    def export(self, target: str | os.PathLike[str], format: str = "csv") -> list[Path]:
        """Write factors and biases to files that other programs read, and return their paths.

        Args:
            target: a folder, or what the names of the files begin with.
            format: ``csv``, ``npz``, ``safetensors``, or ``tsv`` for TensorBoard's projector.

        Raises:
            CftuiError: there is no such format or folder, or the model has no factors.
            OSError: the disk is full or not writable.

        Examples:
            >>> [path.name for path in model.export(folder)]
            ['model4-items.csv', 'model4-users.csv']
        """
        return export(self._trained, format, Path(target))

    def biases(self) -> pd.DataFrame:
        """Every item by its bias, the highest first: ``item``, ``title``, ``ratings``, ``bias`` and the plain ``mean``.

        Raises:
            CftuiError: the model has no biases.

        Examples:
            >>> bool(model.biases()["bias"].is_monotonic_decreasing)
            True
        """
        table = ranking.biases(self._trained, self.data._ratings)[::-1].reset_index(drop=True)
        return _with_items(self._trained, table)

    def item_factors(self) -> pd.DataFrame:
        """The factors of the items, float32 ``[items, k]``, indexed by item id. Raises CftuiError without factors.

        Examples:
            >>> model.item_factors().shape
            (20, 50)
        """
        factors = self._trained.item_factors[1:]
        return pd.DataFrame(factors, index=_index(self._trained.items.classes, "item")).add_prefix("f")

    def user_factors(self) -> pd.DataFrame:
        """The factors of the users, float32 ``[users, k]``, indexed by user id. Raises CftuiError without factors.

        Examples:
            >>> model.user_factors().shape
            (30, 50)
        """
        _ = self._trained.item_factors
        factors = self._trained.learned.user_factors
        assert factors is not None
        index = _index(self._trained.users.classes, "user")
        return pd.DataFrame(factors.numpy()[1:], index=index).add_prefix("f")

    def map(
        self, x: tuple[str, str] | None = None, y: tuple[str, str] | None = None, *, min_ratings: int = 0
    ) -> pd.DataFrame:
        """Two coordinates for every item: principal components of the factors, or axes that you name.

        Args:
            x, y: a named axis, from one title, genre or tag to another; give both or none.
            min_ratings: leave out items with fewer ratings.

        Returns:
            ``item``, ``title``, ``ratings``, ``x``, ``y`` and ``quadrant``. For principal components ``attrs`` holds
            ``variance``, the share of the variance that each explains.

        Raises:
            CftuiError: the model has no factors, or a name is not known.

        Examples:
            >>> model.map().columns.tolist()
            ['item', 'title', 'ratings', 'x', 'y', 'quadrant']
        """
        model = self._trained
        if (x is None) != (y is None):
            raise CftuiError("name both axes, x and y, or none")
        if x is None or y is None:
            drawn = mapping.principal_map(model)[0]
        else:
            low_x, high_x, low_y, high_y = (mapping.pole(model, name) for name in (*x, *y))
            drawn = mapping.named_map(model, (low_x, high_x), (low_y, high_y))
        table = drawn.table.rename(columns={"0": "x", "1": "y", "3": "quadrant"})
        shown = _with_items(model, table[table["ratings"] >= min_ratings].reset_index(drop=True))
        shown = shown[["item", "title", "ratings", "x", "y", "quadrant"]]
        if drawn.variance is not None:
            shown.attrs["variance"] = tuple(float(share) for share in drawn.variance)
        return shown

    def __repr__(self) -> str:
        loss, ndcg = self._trained.valid_loss, self._trained.ndcg
        figure = "no validation ratings" if loss is None else f"validation MSE {loss:.4f}"
        if ndcg is not None:
            figure = f"validation NDCG@10 {ndcg:.4f}"
        return f"<Model {self.name}: {self.recipe} on {self._trained.data_name}, split {self.split}, {figure}>"

    def _filter(self, min_ratings: int, genre: str) -> Filter:
        return Filter(min_ratings, Filter.parse(genre, self._trained).genre if genre else "")

    def _same(self, user: Any) -> Person:
        """A user of this model, or a new user of another model folded in to this one."""
        if isinstance(user, NewUser) and user._model is not self._trained:
            known = user._person
            return people.folded(self._trained, known.name, known.items, known.given)
        return self._person(user)

    def _person(self, user: Any) -> Person:
        if isinstance(user, NewUser):
            return user._person
        return people.person(self._trained, self.data._ratings, self._home, _plain(user))


def _plain(raw: Any) -> Id:
    """An id as Python has it: numpy's integers come out of every data frame."""
    return int(raw) if isinstance(raw, np.integer) else raw


def _column(values: Any) -> pd.Series:
    return values if isinstance(values, pd.Series) else pd.Series(list(values))


def _codes(codes: np.ndarray, raw: pd.Series, what: str, data: str) -> np.ndarray:
    unknown = np.flatnonzero(codes == 0)
    if len(unknown):
        more = f" and {len(unknown) - 1:,} others" if len(unknown) > 1 else ""
        raise CftuiError(f"no {what} {raw.iloc[unknown[0]]!r}{more} in {data}")
    return codes


def _index(classes: tuple[Id, ...], name: str) -> pd.Index:
    return pd.Index(list(classes[1:]), name=name)


def _with_items(model: TrainedModel, table: pd.DataFrame) -> pd.DataFrame:
    """The ids of the items in the place of their codes."""
    raw = [model.items.classes[code] for code in table["code"]]
    shown = table.drop(columns="code")
    shown.insert(0, "item", raw)
    return shown.reset_index(drop=True)
