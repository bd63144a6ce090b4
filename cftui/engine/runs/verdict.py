"""What a run's figure is worth: beside its baselines, the other runs on the same ratings, and its own best epoch.

A verdict is a few remarks. Each has a kind, for colour and mark, and words that can be understood without either.
Figures are compared only if they are of one criterion and were measured on the same split of the same ratings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from cftui.engine.models.method import LOSS, NDCG, Criterion
from cftui.engine.runs.config import RunConfig, TrainedOn
from cftui.engine.runs.events import History
from cftui.files import write_json
from cftui.text import plural

Kind = Literal["good", "bad", "neutral", "overfit"]
# Something that the reader can do about a remark.
Offer = Literal["", "keep_best", "recommender"]
# A shape for each kind, for terminals without colours.
MARKS: dict[Kind, str] = {"good": "▲", "bad": "▼", "neutral": "•", "overfit": "!"}
# How the baselines are called in a sentence.
BASELINES = {
    "global_mean": "the global mean",
    "bias_only": "bias only",
    "popularity": "popularity",
    "item_knn": "item kNN",
}
# Figures closer than this share of the better one count as equal.
EQUAL = 0.0005
# The best epoch is worth keeping if it is better than the kept one by this share.
WORTH_KEEPING = 0.002


@dataclass(frozen=True)
class Lists:
    """How a run's lists of ten compare with popularity's, for a sample of the users.

    Attributes:
        ndcg, popularity: the mean NDCG@10 of both.
        low, high: the 95 % interval of the difference, this run less popularity.
    """

    ndcg: float
    popularity: float
    low: float
    high: float
    users: int

    @property
    def kind(self) -> Kind:
        """Whether the lists are better than popularity's, and more than chance says so."""
        if self.low > 0:
            return "good"
        return "bad" if self.high < 0 else "neutral"

    @property
    def standing(self) -> str:
        """How they do beside popularity, in words: ``below popularity``."""
        than = {"good": "above", "bad": "below"}.get(self.kind, "no better than")
        return f"{than} popularity"

    @property
    def brief(self) -> str:
        """The same in few letters, with the figures if they differ: ``.129 below popularity (.172)``."""
        if self.kind == "neutral":
            return self.standing
        return f"{points(self.ndcg)} {self.standing} ({points(self.popularity)})"

    @property
    def cell(self) -> str:
        """The figure beside popularity for a table: ``.129 <pop``, ``.393 x2.3``, ``.175 =pop``."""
        if self.kind == "good" and self.popularity:
            return f"{points(self.ndcg)} x{self.ndcg / self.popularity:.1f}"
        return f"{points(self.ndcg)} {'<' if self.kind == 'bad' else '='}pop"

    def write(self, path: Path) -> None:
        """Raises OSError if the disk is full or not writable."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Lists | None:
        """None if the lists have not been judged, or the file is damaged: it can be written again."""
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if all(isinstance(value, float | int) for value in asdict(found).values()) else None


@dataclass(frozen=True)
class Result:
    """What a run came to: everything that a verdict needs to know.

    Attributes:
        value: its figure by ``score``: of the kept weights, or of its last epoch so far; None without one.
        missing: why there is no figure, in words.
        kept, best: the epoch of ``value``, and the one with the best figure.
        done, of: how many epochs are done, of how many.
        ended: whether it came to its planned end.
        can_keep_best: whether the same run can be trained to end with its best epoch.
        lists: how its lists were judged, if they were.
    """

    run: str
    trained_on: TrainedOn
    score: Criterion = LOSS
    value: float | None = None
    missing: str = ""
    baselines: Mapping[str, float] = field(default_factory=dict)
    unit: str = "epoch"
    done: int = 0
    of: int = 0
    ended: bool = True
    kept: int | None = None
    best: int | None = None
    best_value: float | None = None
    can_keep_best: bool = False
    lists: Lists | None = None

    @property
    def comparable(self) -> tuple[TrainedOn, Criterion]:
        """Runs can be compared by their figures if these are equal."""
        return self.trained_on, self.score

    def better(self, other: float) -> float:
        """By what share of ``other`` the figure is better than it; below 0 if it is worse."""
        assert self.value is not None
        gain = self.value - other if self.score.higher_is_better else other - self.value
        return gain / abs(other) if other else math.copysign(math.inf, gain) if gain else 0.0


def result(name: str, config: RunConfig, history: History, status: str, lists: Lists | None = None) -> Result:
    """What a run came to, by its description, its log and its status."""
    score, last, best = history.score, history.last, history.best
    ending = history.ending if status == "done" else None
    kept = ending.get("kept_epoch") if ending else None
    if kept is None and last is not None:
        kept = last["epoch"]
    row = next((epoch for epoch in reversed(history.epochs) if epoch["epoch"] == kept), last)
    value = cast("float | None", row.get(score.key)) if row else None
    start = history.start or {}
    # What was extended after its end cannot be trained again in one go.
    can_keep_best = not getattr(config.options, "keep_best", True) and len(history.epochs) <= config.options.length
    return Result(
        run=name,
        trained_on=config.trained_on,
        score=score,
        value=None if status == "failed" else value,
        missing=_missing(config, history, status),
        baselines={name: value for name, value in history.baselines.items() if name in BASELINES},
        unit=history.unit,
        done=len(history.epochs),
        of=max(start.get("epochs") or 0, len(history.epochs)),
        ended=status == "done",
        kept=kept,
        best=best["epoch"] if best else None,
        best_value=cast("float | None", best.get(score.key)) if best else None,
        can_keep_best=can_keep_best,
        lists=lists,
    )


def _missing(config: RunConfig, history: History, status: str) -> str:
    """Why a run has no figure."""
    if status == "failed":
        return "the run failed"
    if not config.data.valid:
        return f"split {config.options.split} holds no ratings back to judge it by"
    if not history.epochs:
        ended = history.ending is not None or status == "dead"
        return f"it ended before its first {history.unit}" if ended else f"no {history.unit} is done yet"
    if history.score == LOSS:
        return "its validation loss is not a number: the run diverged"
    return "nothing that is held back is relevant"


@dataclass(frozen=True)
class Remark:
    """One part of a verdict.

    Attributes:
        offer: what the reader can do about it; each face names its own key or command for it.
        shorter: the same in fewer and fewer words, for where there is little room.
    """

    kind: Kind
    words: str
    offer: Offer = ""
    shorter: tuple[str, ...] = field(default=(), compare=False)

    def at(self, level: int) -> str:
        """The words, in full at level 0."""
        forms = (self.words, *self.shorter)
        return forms[min(level, len(forms) - 1)]


@dataclass(frozen=True)
class Verdict:
    """What a run is worth.

    Attributes:
        remarks: the most important first: beside the baselines, beside other runs, its best epoch, its lists.
        baseline: the best baseline, by its name in ``BASELINES``; "" without one.
        margin: by what share of the best baseline the figure is better than it; below 0 if it is worse.
    """

    remarks: tuple[Remark, ...]
    baseline: str = ""
    margin: float | None = None

    @property
    def kind(self) -> Kind:
        """The kind of the first remark."""
        return self.remarks[0].kind

    @property
    def cell(self) -> str:
        """The figure beside the best baseline, for a table: ``▲ 1.6 %`` is better by so much, ``▼ 2.5 %`` worse."""
        if self.margin is None:
            return "-"
        return f"{MARKS[kind_of(self.margin)]} {percent(self.margin)}"

    @property
    def against_baseline(self) -> str:
        """``cell`` with the name of the baseline: ``▲ 1.6 % item kNN``."""
        return f"{self.cell} {BASELINES[self.baseline].removeprefix('the ')}" if self.baseline else ""

    def as_json(self) -> dict[str, Any]:
        """The sentence, and what it is made of."""
        return {
            "verdict": str(self),
            "kind": self.kind,
            "baseline": self.baseline,
            "margin": self.margin,
            "remarks": [{"kind": one.kind, "words": one.words} for one in self.remarks],
        }

    def __str__(self) -> str:
        return "; ".join(remark.words for remark in self.remarks)


def verdict(own: Result, others: Iterable[Result] = ()) -> Verdict:
    """Judge a run.

    Args:
        others: the other runs that are known, on whatever ratings; this run may be among them.
    """
    if own.value is None or not math.isfinite(own.value):
        kind: Kind = "bad" if "failed" in own.missing or "diverged" in own.missing else "neutral"
        return Verdict((Remark(kind, f"no verdict: {own.missing}"), *_of_lists(own)))
    peers = [one for one in others if one.comparable == own.comparable and one.run != own.run]
    # Runs from before baselines were kept, and runs that have not come to them: those of another run hold as well.
    baselines = own.baselines or next((one.baselines for one in peers if one.baselines), {})
    best = own.score.best(baselines, baselines.get)
    beside = _beside_baselines(own, baselines)
    return Verdict(
        (beside, *_beside_runs(own, peers), *_best_epoch(own), *_of_lists(own, beside.kind == "good")),
        baseline=best or "",
        margin=own.better(baselines[best]) if best else None,
    )


class Peers:
    """Many runs, and for each of them those on which its verdict depends, so that all can be judged in linear time."""

    def __init__(self, results: Iterable[Result]) -> None:
        self._groups: dict[tuple[TrainedOn, Criterion], list[Result]] = {}
        for one in results:
            self._groups.setdefault(one.comparable, []).append(one)
        self._few = {key: self._contenders(key[1], group) for key, group in self._groups.items()}

    @staticmethod
    def _contenders(score: Criterion, group: list[Result]) -> list[Result]:
        """The two best, since a run is not compared with itself, and one that knows the baselines."""
        scored = [one for one in group if one.value is not None]
        best = sorted(scored, key=lambda one: cast(float, one.value), reverse=score.higher_is_better)[:2]
        return [*best, *[one for one in group if one.baselines][:1]]

    def of(self, own: Result) -> list[Result]:
        """The runs to judge ``own`` by, which is one of them: all of its group if it may be the best of them."""
        few, best = self._few[own.comparable], self._few[own.comparable][:1]
        if own.value is None or any(one.value is not None and own.better(one.value) > -EQUAL for one in best):
            return self._groups[own.comparable]
        return few


def _beside_baselines(own: Result, baselines: Mapping[str, float]) -> Remark:
    assert own.value is not None
    so_far = "" if own.ended else f" after {own.done} of {plural(own.of, own.unit)}"
    if not baselines:
        return Remark("neutral", f"{_figures(own, own.value)[0]}{so_far}: no baselines are known for this split")
    # To lose to a weak predictor says more than to lose to a strong one as well.
    weakest_first = sorted(baselines, key=lambda name: baselines[name], reverse=not own.score.higher_is_better)
    name = next((one for one in weakest_first if own.better(baselines[one]) <= -EQUAL), weakest_first[-1])
    margin = own.better(baselines[name])
    value, baseline = _figures(own, own.value, baselines[name])
    beside = f"{BASELINES[name]} ({baseline})"
    kind = kind_of(margin)
    worse = "below" if own.score.higher_is_better else "worse than"
    does = {"neutral": "as good as", "bad": worse}.get(kind, "beats")
    said = f"{does} {beside}"
    if kind == "good":
        said = f"{margin + 1:.1f} times {beside}" if margin > 1 else f"{said} by {percent(margin)}"
    words = f"{value}{so_far}: {said}"
    return Remark(kind, words, shorter=(words, f"{value}: {does} {BASELINES[name]}"))


def _beside_runs(own: Result, peers: list[Result]) -> list[Remark]:
    """The best other run on the same ratings, if it is better than this one."""
    best = own.score.best(peers, lambda one: one.value)
    if best is None or best.value is None:
        return []
    if own.better(best.value) <= -EQUAL:
        return [Remark("neutral", f"your run {best.run} reaches {_figures(best, best.value, short=True)[0]}")]
    scored = sum(one.value is not None for one in peers)
    return [Remark("good", f"the best of your {scored + 1} runs")] if own.ended else []


def _best_epoch(own: Result) -> list[Remark]:
    """The best epoch, if another one was kept that is worse by more than a hair."""
    if own.best_value is None or own.best == own.kept or own.better(own.best_value) > -WORTH_KEEPING:
        return []
    words = f"best at {own.unit} {own.best}"
    if own.score != LOSS:
        return [Remark("neutral", f"{words} ({_figures(own, own.best_value, short=True)[0]})")]
    offer: Offer = "keep_best" if own.can_keep_best and own.ended else ""
    return [Remark("overfit", f"{words}; later {own.unit}s overfit", offer, shorter=(words,))]


def _of_lists(own: Result, predicts_well: bool = False) -> list[Remark]:
    """The lists of a run that is judged by its loss; one that is judged by its lists has that said already."""
    return [lists_remark(own.lists, predicts_well)] if own.lists is not None and own.score == LOSS else []


def lists_remark(lists: Lists, predicts_well: bool = False) -> Remark:
    """The lists of a run beside popularity's: ``poor lists: NDCG@10 .129, below popularity (.172)``.

    Args:
        predicts_well: its ratings are better than the baselines; where its lists are not, that is said in one breath.
    """
    figures = f"{NDCG.label} {points(lists.ndcg)}, {lists.standing} ({points(lists.popularity)})"
    of = {"good": "good lists", "bad": "poor lists"}.get(lists.kind, "lists")
    shorter = (f"{of}: {figures.removeprefix(NDCG.label).strip()}", f"{of} ({points(lists.ndcg)})")
    if predicts_well and lists.kind == "bad":
        of = f"good ratings, {of}"
    return Remark(lists.kind, f"{of}: {figures}", "" if lists.kind == "good" else "recommender", shorter)


def kind_of(margin: float) -> Kind:
    """Good or bad for a figure that is better than another by this share of it, below 0 for worse."""
    if abs(margin) < EQUAL:
        return "neutral"
    return "good" if margin > 0 else "bad"


def percent(margin: float) -> str:
    """The size of a share: ``1.6 %``."""
    return f"{abs(margin):.1%}".replace("%", " %")


def points(ndcg: float) -> str:
    """An NDCG as the tables have it: ``.129``."""
    return f"{ndcg:.3f}".removeprefix("0")


def _figures(own: Result, *values: float, short: bool = False) -> list[str]:
    """Figures of one criterion with the same digits: as few as tell them apart.

    Args:
        short: without the name of the criterion, which a loss never has.
    """
    if own.score.higher_is_better:
        first, *rest = map(points, values)
        return [first if short else f"{own.score.label} {first}", *rest]
    largest = max(map(abs, values))
    digits = 3 if largest < 2 else 2 if largest < 100 else 1 if largest < 1000 else 0
    form = "f"
    if largest and not 1e-3 <= largest < 1e10:
        # The losses of a scale of millionths or millions: significant digits.
        digits, form = 2, "e"
    while digits < 6 and len({f"{value:.{digits}{form}}" for value in values}) < len(set(values)):
        digits += 1
    return [f"{value:,.{digits}{form}}" for value in values]
