"""A screen that needs a trained model, and offers to train one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from cftui.errors import CftuiError
from cftui.tui.session.places import Place
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.keys import ACTIONS
from cftui.tui.shell.prompt import Prompt
from cftui.tui.shell.room import Room

if TYPE_CHECKING:
    from cftui.analysis.ranking import Filter

Answer = TypeVar("Answer")


class ModelRoom(Room):
    """Shows ``model_body`` once a model is chosen, an invitation before."""

    # The body is hidden at first: a text field in it must not swallow the keys of the invitation.
    AUTO_FOCUS = ""

    def body(self) -> ComposeResult:
        yield Static(classes="invitation", id="invitation")
        with Container(id="model-body"):
            yield from self.model_body()

    def model_body(self) -> ComposeResult:
        """The widgets that show what the model says."""
        yield from ()

    def model_changed(self, opened: OpenModel) -> None:
        """Called when there is a (new) model to show."""

    def on_mount(self) -> None:
        self.watch(self.app, "chosen", self._chosen)
        self.watch(self.app, "activity", self._invite)
        self.watch(self.app, "opening", self._invite, init=False)
        self.watch(self.app, "wanted", self.show_wanted)

    def _chosen(self, opened: OpenModel | None) -> None:
        self.query_one("#model-body").display = opened is not None
        self.query_one("#invitation").display = opened is None
        self.refresh_bindings()
        if opened is not None:
            self.model_changed(opened)
            self.show_wanted()

    # Items that other screens ask for

    @property
    def item(self) -> int | None:
        """Code of the item on show."""
        raise NotImplementedError

    @property
    def can_show(self) -> bool:
        """Whether an item can be shown already."""
        return True

    def show_item(self, code: int) -> None:
        """Show an item, and put the keys where they are of use then."""
        raise NotImplementedError

    def show_user(self) -> None:
        """Put the keys where they are of use when another screen asked for a user alone."""

    def show_lists(self, runs: Sequence[str]) -> None:
        """Compare the lists of these runs."""

    @property
    def place(self) -> Place:
        opened, item = self.cftui.chosen, self.item
        return Place(self.ROOM, None if opened is None or item is None else opened.model.items.classes[item])

    async def visit(self, mode: str, code: int) -> None:
        """Show an item of the model on a screen; escape comes back."""
        opened = self.cftui.chosen
        if opened is not None:
            await self.cftui.visit(Place(mode, opened.model.items.classes[code]))

    def show_wanted(self) -> None:
        """Show what another screen asked for, as soon as there is something to show it on."""
        opened, wanted = self.cftui.chosen, self.cftui.wanted
        if opened is None or wanted is None or wanted.mode != self.ROOM or not self.can_show:
            return
        self.cftui.wanted = None
        if wanted.runs:
            self.show_lists(wanted.runs)
            return
        if wanted.item is None:
            self.show_user()
            return
        code = opened.code_of(wanted.item)
        if code is None:
            self.notify(f"{opened.name} does not know {wanted.item}; it was trained on other {opened.model.nouns}")
        else:
            self.show_item(code)

    def _invite(self) -> None:
        app = self.cftui
        if app.chosen is not None:
            return
        self.refresh_bindings()
        if app.opened is None and app.opening:
            text = f"opening {app.opening} ..."
        elif app.opened is None:
            text = f"No data set yet.\n\nPress g to fetch MovieLens 100K.\n\n{app.activity}"
        elif app.training:
            text = f"{app.activity or 'training'} ...\n\nThis screen opens when it is done."
        elif app.activity:
            text = app.activity
        else:
            text = f"No trained model yet.\n\nPress t to train {app.default_recipe}: a few seconds on this data set."
        self.query_one("#invitation", Static).update(Text(text))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys are offered that do something: without a model those that lead to one, with one all others."""
        app = self.cftui
        if action == "back":
            return super().check_action(action, parameters)
        if action in ("train_first", "get"):
            return app.chosen is None and (app.opened is None) == (action == "get")
        ours = any(action == key.action.split("(")[0] for key in ACTIONS[self.ROOM])
        return not ours or app.chosen is not None

    def while_open(self, use: Callable[[Answer], None]) -> Callable[[Answer | None], None]:
        """What a dialog about the model on show calls: nothing is done with an answer if it was left without one, or
        if another model has come in the meantime."""
        opened = self.cftui.chosen

        def answered(answer: Answer | None) -> None:
            if answer is not None and self.cftui.chosen is opened:
                use(answer)

        return answered

    def ask_filter(self, now: Filter | None, use: Callable[[Filter], None]) -> None:
        """Ask for a genre and a least number of ratings. An answer that leaves nothing to see is not taken."""
        from cftui.analysis.ranking import Filter

        opened = self.cftui.chosen
        if opened is None:
            return
        model = opened.model

        def check(text: str) -> str:
            try:
                asked = Filter.parse(text, model)
            except CftuiError as error:
                return str(error)
            return "" if asked.allows(model).sum() > 1 else "that leaves nothing to see"

        asked = now or Filter()
        value = " ".join(filter(None, (asked.genre, str(asked.min_ratings or ""))))
        genre = "a genre or tag" if len(model.kinds) > len(model.genres) else "a genre"
        hint = f"{genre}, a least number of ratings, or both: comedy 20; empty: everything"

        def done(answer: str) -> None:
            use(Filter.parse(answer, model))

        self.app.push_screen(Prompt("show only", hint, value, check), self.while_open(done))

    def show_biases(self) -> None:
        """The whole bias ranking; from there to an item in Search or on the map."""
        from cftui.tui.shell.biases import BiasScreen

        opened = self.cftui.chosen
        if opened is None:
            return
        if opened.biases is None:
            self.notify(f"{opened.model.recipe.name} has no biases", severity="warning")
            return
        self.app.push_screen(BiasScreen(opened))

    def action_train_first(self) -> None:
        """Train the default recipe: there is no model yet."""
        self.cftui.start_training(self.cftui.default_recipe)

    def action_get(self) -> None:
        if self.cftui.opened is None:
            self.cftui.fetch_data()
