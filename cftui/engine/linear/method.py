"""Fitting EASE: its options. No torch here, so that recipes can be listed quickly."""

from __future__ import annotations

from dataclasses import dataclass

from cftui.engine.models.method import NDCG, Method
from cftui.engine.models.options import ChoiceOptions, option


@dataclass(frozen=True)
class EaseOptions(ChoiceOptions):
    """Settings of one fit.

    Attributes:
        l2: lambda, what is added to the diagonal of the Gram matrix; None to search on the inner training rows.
        fade: whether older ratings count less when a list is made; None to try it with a split by time.
        items: the most items that get weights, those with the most ratings; None for as many as memory allows.
    """

    l2: float | None = option(
        None,
        "lambda",
        float,
        "Regularisation [default: the best of a search on the training ratings].",
        ok=lambda value: 0 < value < float("inf"),
        rule="a number above 0",
        empty="search",
        short="lambda",
        alias="lambda",
    )
    fade: bool | None = option(
        None,
        "fade",
        bool,
        "Let a user's older ratings count less in a list, for what will be chosen next [default: with a split by time, "
        "if that is better within the training ratings].",
        empty="auto",
        sweepable=False,
        short="fade",
    )
    items: int | None = option(
        None,
        "items",
        int,
        "Most items to recommend, those with the most ratings [default: as many as memory allows].",
        ok=lambda value: value >= 1,
        rule="a whole number from 1",
        empty="auto",
        short="items",
        sweepable=False,
    )

    def fitted_by(self) -> str:
        return "one closed-form fit" + ("; lambda by a search on the training ratings" if self.l2 is None else "")

    def in_words(self) -> str:
        return "one closed-form fit" if self.l2 is not None else "one closed-form fit after a search for lambda"


METHOD = Method(
    name="ease",
    how="fitted in closed form",
    unit="fit",
    options=EaseOptions,
    fitter="cftui.engine.linear.ease:Ease",
    grid=("l2=50,100,200,400,800",),
    score=NDCG,
)
