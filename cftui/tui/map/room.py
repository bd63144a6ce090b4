"""Where a map comes from: components of the factors or of their parts, an earlier epoch, named axes, a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from cftui.errors import CftuiError
from cftui.text import printable
from cftui.tui.session import memory
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.model_room import ModelRoom
from cftui.tui.shell.prompt import Prompt
from cftui.tui.shell.titles import Choice, TitlePicker

if TYPE_CHECKING:
    from cftui.analysis.maps.components import Components
    from cftui.analysis.maps.mapping import ItemMap, Pole
    from cftui.analysis.maps.robust import Robust

# How the poles of named axes are remembered.
KIND, ITEM = "kind:", "item:"
PARTS = {"M": "item factors", "L": "L, low rank", "S": "S, sparse"}


class MapRoom(ModelRoom):
    """A room that shows an ``ItemMap`` and lets the user choose which.

    Attributes:
        part: ``M``, ``L`` or ``S`` where the map is of components; ``named`` or ``read`` otherwise.
    """

    part = "M"
    _components: Components | None = None
    _robust: Robust | None = None

    def use(self, item_map: ItemMap, *, keep: bool = False) -> None:
        """Show this map; with ``keep`` the cursor and the view stay where they are."""
        raise NotImplementedError

    def no_map(self, why: str) -> None:
        """Show that there is no map."""
        raise NotImplementedError

    def on_mount(self) -> None:
        super().on_mount()
        self.watch(self.app, "epoch", self._epoch_changed, init=False)

    def model_changed(self, opened: OpenModel) -> None:
        self._components = self._robust = None
        self.part = "M"
        self._load(opened)

    @work(thread=True, exclusive=True)
    def _load(self, opened: OpenModel) -> None:
        """Components off the event loop; the first call imports fbpca."""
        from cftui.analysis.maps import mapping as maps

        try:
            item_map, found = maps.principal_map(opened.model)
        except CftuiError as error:
            self.cftui.from_worker(self.no_map, str(error))
        else:
            memory.settle()
            self.cftui.from_worker(self._loaded, opened, item_map, found)

    def _loaded(self, opened: OpenModel, item_map: ItemMap, found: Components) -> None:
        if opened is not self.cftui.chosen:
            return
        self._components = found
        named = self._named_map(opened, self.cftui.use.axes)
        if named is not None:
            self._show_other("named", named)
        else:
            self.use(item_map)

    def action_axes(self) -> None:
        """Ask for four poles: from and to on x, from and to on y. Escape goes back to the components."""
        opened = self.cftui.chosen
        if opened is None or self._components is None:
            return
        questions = ("x axis, from", "x axis, to", "y axis, from", "y axis, to")
        # What was chosen, as it is remembered, and how it is called.
        axes: list[str] = []
        names: list[str] = []

        def take(choice: Choice | None) -> None:
            if self.cftui.chosen is not opened:
                return
            if choice is None:
                if not axes:
                    self._to_part("M")
                return
            if choice.code is None:
                axes.append(f"{KIND}{choice.kind}")
                names.append(choice.kind)
            else:
                axes.append(f"{ITEM}{opened.model.items.classes[choice.code]}")
                names.append(opened.model.titles[choice.code])
            if len(axes) < len(questions):
                ask()
                return
            named = self._named_map(opened, axes, complain=True)
            if named is not None:
                self.cftui.remember_use(axes=tuple(axes))
                self._show_other("named", named)

        def ask() -> None:
            so_far = f" ({printable(names[-1])} ...)" if len(names) % 2 else ""
            self.app.push_screen(TitlePicker(opened, questions[len(names)] + so_far, kinds=True), take)

        ask()

    def _named_map(self, opened: OpenModel, axes: Sequence[str], *, complain: bool = False) -> ItemMap | None:
        """The map between four poles; None if there are none, or if the model has no such item or kind.

        Args:
            axes: from and to on x, from and to on y: each ``KIND`` and a genre or tag, or ``ITEM`` and what identifies
                an item.
            complain: say why there is no map.
        """
        from cftui.analysis.maps import mapping as maps

        poles: list[Pole] = []
        try:
            for text in axes:
                kind = text.startswith(KIND)
                poles.append(maps.pole(opened.model, text.removeprefix(KIND)) if kind else _item_pole(opened, text))
            return maps.named_map(opened.model, (poles[0], poles[1]), (poles[2], poles[3])) if poles else None
        except CftuiError as error:
            if complain:
                self.cftui.complain(error)
            return None

    def _show_other(self, part: str, item_map: ItemMap) -> None:
        """A map that is not of components, and so of no epoch."""
        self.part = part
        self.cftui.epoch = None
        self.use(item_map)

    def action_part(self) -> None:
        """From the factors to their low-rank part, to their sparse part, and back."""
        order = [*PARTS]
        self._to_part(order[(order.index(self.part) + 1) % len(order)] if self.part in PARTS else "M")

    def action_robust(self) -> None:
        """Robust PCA by either solver, watched while it works."""
        from cftui.tui.map.robust import RobustScreen

        if self.cftui.chosen is None or self._components is None:
            return

        def done(found: Robust) -> None:
            self._robust = found
            self._to_part("L")

        self.app.push_screen(RobustScreen(self.cftui.chosen), self.while_open(done))

    def _to_part(self, part: str) -> None:
        from cftui.analysis.maps import mapping as maps

        opened = self.cftui.chosen
        if opened is None:
            return
        if part != "M" and self._robust is None:
            self.action_robust()
            return
        self.part = part
        self.cftui.epoch = None
        self.cftui.remember_use(axes=())
        if part == "M":
            self._load(opened)
            return
        assert self._robust is not None
        factors = self._robust.low_rank if part == "L" else self._robust.sparse
        self.use(maps.principal_map(opened.model, factors, f"{part} PC")[0])
        facts = f"rank of L {self._robust.rank}, density of S {self._robust.density:.1%}"
        self.notify(f"{PARTS[part]} ({self._robust.solver}): {facts}")

    def action_epoch(self, step: int) -> None:
        self.cftui.move_epoch(step)

    def _epoch_changed(self, epoch: int | None) -> None:
        """The items as they were, on the components of the trained model, so that one sees them move."""
        from cftui.analysis.maps import mapping as maps

        opened, found = self.cftui.chosen, self._components
        if opened is None or found is None or (epoch is None and self.part != "M"):
            return
        self.part = "M"
        try:
            if epoch is None:
                item_map = maps.ItemMap(
                    maps.frame(opened.model, found.u), ("PC1", "PC2"), opened.model.item_factors[1:], found.variance
                )
            else:
                item_map = maps.epoch_map(opened.at(epoch), found)
        except CftuiError as error:
            self.cftui.complain(error)
            return
        self.use(item_map, keep=True)

    def action_read(self) -> None:
        """A map that was exported, or made elsewhere, back in."""
        opened = self.cftui.chosen
        if opened is None:
            return

        def read(text: str) -> ItemMap:
            from cftui.analysis import exports
            from cftui.analysis.maps import mapping as maps

            path = Path(text).expanduser()
            return maps.read_back(opened.model, exports.read_map(path), str(path))

        def check(text: str) -> str:
            try:
                read(text)
            except (CftuiError, OSError, RuntimeError, ValueError) as error:
                return str(error)
            return ""

        hint = "a CSV with the columns 0 and 1, and title: as x or cftui pca --csv writes it"

        def done(answer: str) -> None:
            self._show_other("read", read(answer))

        self.app.push_screen(Prompt("read coordinates from", hint, "", check), self.while_open(done))


def _item_pole(opened: OpenModel, text: str) -> Pole:
    """The pole of an item, as it is remembered. Raises CftuiError if the model does not know the item."""
    import numpy as np

    from cftui.analysis.maps.mapping import Pole

    wanted, model = text.removeprefix(ITEM), opened.model
    code = next((code for code, raw in enumerate(model.items.classes) if code and str(raw) == wanted), None)
    if code is None:
        raise CftuiError(f"{model.name} has no {model.noun} {wanted!r}")
    return Pole(model.titles[code], np.array([code]))
