"""The form of Train offers the splits that the open data set has."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Select

from cftui.tui.train.recipe_form import RecipeForm


class Alone(App[None]):
    def compose(self) -> ComposeResult:
        yield RecipeForm()


async def test_each_of_several_gpus_is_offered() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        form, field = app.query_one(RecipeForm), app.query_one("#device", Select)
        form.restore({"device": "cuda:1"})
        form.offer_gpus(1)
        assert field.value == "auto"
        form.offer_gpus(2)
        await pilot.pause()
        # What was chosen last is chosen again, once it is there.
        assert field.value == "cuda:1"
        assert (form.options() or [])[-2:] == ["--device", "cuda:1"]


async def test_a_split_that_a_data_set_lacks_is_not_offered() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        form, field = app.query_one(RecipeForm), app.query_one("#split", Select)
        form.offer_splits(("random", "time", "given", "none"))
        field.value = "given"
        form.offer_splits(("random", "given"))
        await pilot.pause()
        assert field.value == "given"
        assert (form.options() or [])[-2:] == ["--split", "given"]
        form.offer_splits(("random", "u1"))
        await pilot.pause()
        assert field.value == "random"
