"""Map: what did it learn?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from cftui.errors import CftuiError
from cftui.tui.screens.model_room import ModelRoom
from cftui.tui.screens.prompt import Prompt
from cftui.tui.widgets.point_map import PointMap, labels_for
from cftui.tui.workspace import OpenModel

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MINIMA = (0, 20, 100)
BIASES = 100


class MapScreen(ModelRoom):
    ROOM = "map"
    ABOUT = (
        "Two principal components of the item factors. Colours are quadrants; labels are the five farthest of each, or "
        "those near an axis. To the right, what is liked least and most, whoever rates it."
    )
    CSS_PATH = "map.tcss"
    BINDINGS = [
        Binding("f", "preset('farthest')", "Farthest"),
        Binding("n", "preset('near')", "Near axes"),
        Binding("a", "preset('all')", "All, no labels", show=False),
        Binding("m", "minimum", "Min. ratings"),
        Binding("b", "biases", "Biases"),
        Binding("slash", "find", "Find", key_display="/"),
        Binding("t", "train_first", "Train", show=False),
        Binding("g", "get", "Get data", show=False),
        Binding("escape", "to_map", "Back to the map", show=False),
    ]

    preset = "farthest"
    minimum = 20
    _table: pd.DataFrame | None = None

    def model_body(self) -> ComposeResult:
        with Horizontal(id="map-row"):
            yield PointMap(id="points", classes="pane")
            with Vertical(id="bias-column"):
                yield OptionList(id="highest", classes="pane")
                yield OptionList(id="lowest", classes="pane")
        yield Static(id="where")

    def model_changed(self, opened: OpenModel) -> None:
        self._table = None
        self._load(opened)

    @work(thread=True, exclusive=True)
    def _load(self, opened: OpenModel) -> None:
        """Components and biases off the event loop; the first call imports fbpca."""
        from cftui.analysis import components, ranking

        biases = ranking.biases(opened.model) if opened.model.has_bias else None
        self.cftui.from_worker(self._list_biases, opened, biases)
        try:
            table, found = components.item_map(opened.model)
        except CftuiError as error:
            self.cftui.from_worker(self._no_map, str(error))
        else:
            self.cftui.from_worker(self._loaded, opened, table, found.variance)

    def _no_map(self, why: str) -> None:
        self._table = None
        self.query_one(PointMap).clear()
        self.query_one("#where", Static).update(Text(why))

    def _loaded(self, opened: OpenModel, table: pd.DataFrame, variance: np.ndarray) -> None:
        if opened is not self.cftui.chosen:
            return
        self._table, self._variance = table, variance
        self._place()
        if self.is_current:
            self.query_one("#points").focus()

    def _list_biases(self, opened: OpenModel, biases: pd.DataFrame | None) -> None:
        for name, title in (("highest", "most liked"), ("lowest", "least liked")):
            pane = self.query_one(f"#{name}", OptionList)
            pane.border_title = f"{title} (bias)"
            pane.clear_options()
            if biases is None:
                pane.add_option(Option(Text(f"{opened.model.recipe.name} has no bias", style="dim"), disabled=True))
                continue
            rows = biases.head(BIASES) if name == "lowest" else biases.tail(BIASES)[::-1]
            pane.add_options(
                [
                    Option(Text(f"{row.bias:+.2f} {row.title}", no_wrap=True, overflow="ellipsis"), id=str(row.code))
                    for row in rows.itertuples(index=False)
                ]
            )
            pane.highlighted = 0

    def _place(self) -> None:
        """Put the chosen points on the map."""
        import numpy as np

        from cftui.analysis import components

        if self._table is None or self.cftui.chosen is None:
            return
        shown = self._table[self._table["ratings"] >= self.minimum].reset_index(drop=True)
        self._shown = shown
        group = np.array([components.QUADRANTS.index(name.split()[0]) for name in shown["3"]])
        row_of = {code: row for row, code in enumerate(shown["code"])}
        chosen = {
            "farthest": lambda: components.farthest(shown),
            "near": lambda: components.near_axes(shown),
            "all": lambda: shown.head(0),
        }[self.preset]()
        # Best placed first: labels that would touch one already drawn are left out.
        wanted = chosen.sort_values("2", ascending=False)["code"]
        labels = labels_for([row_of[code] for code in wanted], shown["title"].tolist())
        points = self.query_one(PointMap)
        points.show(shown[["0", "1"]].to_numpy(), group, labels)
        model = self.cftui.chosen.model
        points.border_title = "PC1 {:.1%}  PC2 {:.1%} of the variance".format(*self._variance)
        kept = f"{self.minimum}+ ratings: " if self.minimum else ""
        names = {"farthest": "5 farthest each", "near": f"{components.NEAR} from an axis", "all": "no labels"}
        points.border_subtitle = f"{kept}{len(shown):,} {model.nouns}, {names[self.preset]}"
        self.query_one("#where", Static).update(
            Text("arrows move from point to point   + - zoom   0 whole map   click picks", style="dim")
        )

    @on(PointMap.Moved)
    def _moved(self, event: PointMap.Moved) -> None:
        row = self._shown.iloc[event.index]
        place = f"({row['0']:.4f}, {row['1']:.4f})  distance {row['2']:.4f}  {row['3']}  {row['ratings']:,} ratings"
        text = Text(f"> {row['title']}  ", style="bold", no_wrap=True, overflow="ellipsis")
        self.query_one("#where", Static).update(text.append(place, style="not bold"))

    @on(OptionList.OptionSelected)
    def _bias_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option.id is not None:
            self._go_to(int(event.option.id))

    def _go_to(self, code: int) -> None:
        if self._table is None:
            return
        if code not in set(self._shown["code"]):
            self.minimum = 0
            self._place()
        rows = self._shown.index[self._shown["code"] == code]
        points = self.query_one(PointMap)
        points.put_cursor(int(rows[0]))
        points.focus()

    def action_preset(self, name: str) -> None:
        self.preset = name
        self._place()

    def action_minimum(self) -> None:
        self.minimum = MINIMA[(MINIMA.index(self.minimum) + 1) % len(MINIMA)]
        self._place()

    def action_biases(self) -> None:
        lists = [self.query_one("#highest"), self.query_one("#lowest")]
        (lists[1] if self.focused is lists[0] else lists[0]).focus()

    def action_to_map(self) -> None:
        self.query_one("#points").focus()

    def action_find(self) -> None:
        opened = self.cftui.chosen
        if opened is None or self._table is None:
            return

        def check(text: str) -> str:
            return "" if text and opened.index.search(text, limit=1) else f"no {opened.model.noun} like {text!r}"

        def go(answer: str | None) -> None:
            if answer:
                self._go_to(opened.index.search(answer, limit=1)[0])

        self.app.push_screen(Prompt(f"which {opened.model.noun}?", "part of a title", "", check), go)
