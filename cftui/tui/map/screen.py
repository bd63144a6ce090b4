"""Map: what did it learn?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from cftui.text import plural, printable, share
from cftui.tui.map import words
from cftui.tui.map.point_map import PointMap
from cftui.tui.map.room import MapRoom
from cftui.tui.map.side import WIDE, side_columns
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.colours import LIGHT, Colours, colours
from cftui.tui.shell.columns import Column, line
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import cosine, scored_row
from cftui.tui.shell.titles import Choice, TitlePicker

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cftui.analysis.maps.mapping import ItemMap
    from cftui.analysis.ranking import Filter

WELL_KNOWN = 20
NEIGHBOURS = 50
# So many names are tried on the map at the most.
LABELS = 300
# Tolerances are stepped by this factor.
STEP = 2.0


class MapScreen(MapRoom):
    ROOM = "map"
    ABOUT = (
        "Every item as a point: principal components of the item factors, or of their low-rank and sparse parts, or "
        "axes named by their poles. A component has no meaning of its own; what the items at its two ends have in "
        "common is what the model has found. a sets up axes with a meaning, from one genre, tag or item to another. "
        "The cursor names the item it is on, and its quadrant by the chapter's name. Trust says how many of its "
        "nearest on the map are its nearest in all dimensions: where few are, do not believe the map. To the right, "
        "what is liked most and least whoever rates it, or what is like the item at the cursor."
    )
    CSS_PATH = "screen.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide"), (140, "-huge")]
    BINDINGS = bindings("map")

    preset = "farthest"
    colouring = "quadrant"
    _only: Filter | None = None
    _tolerance = 0.0
    _item_map: ItemMap | None = None
    # The filtered map: the position of each code, and what is computed from it once.
    _shown: ItemMap | None = None
    _row_of: np.ndarray
    _xy: np.ndarray
    _ends: tuple[str, str, str, str]
    _named: dict[str, pd.DataFrame]
    _group: np.ndarray
    _legend: tuple[str, ...] = ()
    _found: Sequence[int] = ()
    # Codes of the items at the side, by the list that shows them.
    _sides: dict[str, np.ndarray]
    _near_codes: np.ndarray

    def model_body(self) -> ComposeResult:
        with Horizontal(id="map-row"):
            yield PointMap(id="points", classes="pane")
            with Vertical(id="bias-column"):
                yield RowList(id="highest", classes="pane", placeholder="nothing to rank", enter="Search")
                yield RowList(id="lowest", classes="pane", placeholder="nothing to rank", enter="Search")
            yield RowList(id="near", classes="pane", placeholder="move the cursor", enter="Go there")
        yield Static(id="where")
        yield Static(id="legend")

    def on_mount(self) -> None:
        self._sides = {}
        super().on_mount()
        self.watch(self.app, "theme", lambda _: self._paint(), init=False)

    # What is on the map

    def model_changed(self, opened: OpenModel) -> None:
        from cftui.analysis.maps import components
        from cftui.analysis.ranking import Filter

        self._item_map = self._shown = None
        self._found = []
        if self._only is None:
            self._only, self._tolerance = Filter(min_ratings=WELL_KNOWN), components.NEAR
        elif self._only.genre and self._only.genre not in opened.model.kinds:
            self._only = Filter(self._only.min_ratings)
        if not opened.model.has_bias and self.colouring == "bias":
            self.colouring = "quadrant"
        self._list_biases(opened)
        super().model_changed(opened)

    def use(self, item_map: ItemMap, *, keep: bool = False) -> None:
        self._item_map = item_map
        self.refresh_bindings()
        self._place(keep=keep)
        cursor = self.query_one(PointMap).cursor
        if cursor is not None and self._shown is not None:
            self._show_near(self._code_at(cursor))
        if self.is_current and not keep:
            self.query_one("#points").focus()
        self.show_wanted()

    def no_map(self, why: str) -> None:
        self._item_map = self._shown = None
        points = self.query_one(PointMap)
        points.border_title = points.border_subtitle = ""
        points.clear(f"{words.UNAVAILABLE}\n\n{why}\n\n{words.INSTEAD}")
        self.refresh_bindings()
        for name in ("#where", "#legend"):
            self.query_one(name, Static).update("", layout=False)

    def _place(self, *, keep: bool = False) -> None:
        """Put what passes the filter on the map; with ``keep`` the cursor and the view stay where they are."""
        import numpy as np

        opened, whole = self.cftui.chosen, self._item_map
        if whole is None or opened is None or self._only is None:
            return
        model, points = opened.model, self.query_one(PointMap)
        at = None if self._shown is None or points.cursor is None else self._code_at(points.cursor)
        shown = whole.only(self._only.allows(model)[whole.table["code"].to_numpy()])
        self._shown, self._xy, self._ends, self._named = shown, shown.xy, shown.ends(), {}
        codes = shown.table["code"].to_numpy()
        self._row_of = np.full(len(model.items), -1)
        self._row_of[codes] = np.arange(len(codes))
        self._paint(keep=keep)
        if at is None or self._row_of[at] < 0:
            self._hint()
        elif points.cursor != self._row_of[at]:
            points.put_cursor(int(self._row_of[at]))

    def _paint(self, *, keep: bool = True) -> None:
        """Colours and names of the points that are on the map."""
        from cftui.analysis.maps import mapping as maps

        opened, shown, points = self.cftui.chosen, self._shown, self.query_one(PointMap)
        if opened is None or shown is None:
            return
        self._group, self._legend = maps.groups(opened.model, shown.table, self.colouring)
        # Best placed first: names that would touch one already drawn are left out, so the first will do.
        named = self._labelled()
        first = named.nlargest(LABELS, "2")
        labels = {int(self._row_of[c]): str(t) for c, t in zip(first["code"], first["title"], strict=True)}
        poles = {name: (x, y) for name, x, y in shown.poles}
        points.show(self._xy, self._group, labels, palette=self._palette, ends=self._ends, poles=poles, keep=keep)
        self._mark()
        self._title(len(named))
        self._say_legend()
        if points.cursor is not None:
            self._tell(points.cursor)

    def _labelled(self) -> pd.DataFrame:
        """The rows of the map whose items are named on it."""
        from cftui.analysis.maps import components

        assert self._shown is not None
        table, key = self._shown.table, f"{self.preset} {self._tolerance}"
        if key not in self._named:
            if self.preset == "farthest":
                self._named[key] = components.farthest(table)
            else:
                near = self.preset == "near"
                self._named[key] = components.near_axes(table, self._tolerance) if near else table.head(0)
        return self._named[key]

    @property
    def _palette(self) -> tuple[str, ...]:
        known = self._colours()
        return known.ramp if self._in_fifths else known.groups

    def _colours(self) -> Colours:
        return colours(self.app.current_theme.dark)

    @property
    def _in_fifths(self) -> bool:
        return self.colouring in ("bias", "ratings")

    def _title(self, labelled: int) -> None:
        opened, shown, only = self.cftui.chosen, self._shown, self._only
        assert opened is not None
        assert shown is not None
        shares = ["", ""] if shown.variance is None else [f" {share(held)}" for held in shown.variance]
        axes = "   ".join(f"{axis}{share}" for axis, share in zip(shown.axes, shares, strict=True))
        points = self.query_one(PointMap)
        when = "" if self.cftui.epoch is None else f"   after {opened.unit} {self.cftui.epoch}"
        part = f"   {words.PARTS[self.part]}" if self.part in words.PARTS else ""
        points.border_title = Content(printable(axes) + when + part)
        names = {
            "farthest": "5 farthest each",
            "near": f"{labelled:,} within {self._tolerance:.2g} of an axis",
            "all": "no labels",
        }
        back = words.NEXT_PART.get(self.part, words.BACK)
        kept = "  ".join(
            filter(None, (back, f"{len(shown.table):,} {opened.model.nouns}", str(only), names[self.preset]))
        )
        points.border_subtitle = Content(kept)

    def _say_legend(self) -> None:
        text = words.legend(self.colouring, self._legend, self._palette, self.size.width)
        self.query_one("#legend", Static).update(text, layout=False)

    def _hint(self) -> None:
        hint = " arrows: point to point  + -: zoom  z: all  5 0 9: labels  shift+arrows: pan"
        self.query_one("#where", Static).update(
            Text(hint, style="dim", no_wrap=True, overflow="ellipsis"), layout=False
        )
        self.query_one("#near", RowList).show(0, lambda index, width: Text())

    # What is at the side

    def _list_biases(self, opened: OpenModel) -> None:
        """Both ends of the ranking by bias, or by mean rating where there are no biases."""
        from cftui.analysis import ranking

        table, by = opened.biases, "bias"
        if table is None:
            table, by = ranking.rated(opened.model, opened.ratings, WELL_KNOWN)[::-1], "mean"
        if by == "bias":
            titles = "most liked", "least liked"
        elif opened.ratings.counted:
            titles = f"most chosen {opened.model.nouns}", f"least chosen {opened.model.nouns}"
        else:
            titles = "best rated", "worst rated"
        for name, title, rows in zip(("highest", "lowest"), titles, (table, table[::-1]), strict=True):
            pane = self.query_one(f"#{name}", RowList)
            pane.border_title = title
            self._sides[name] = rows["code"].to_numpy()
            columns, cells = side_columns(rows, by, opened, self._colours, wide=self.size.width >= WIDE)
            pane.show(
                len(rows),
                lambda row, width, c=columns, of=cells: line(c, of(row), width),  # type: ignore[misc]
                columns=columns,
                words=rows["title"].tolist().__getitem__,
            )

    @on(PointMap.Moved)
    def _moved(self, event: PointMap.Moved) -> None:
        if self._shown is not None and event.index < len(self._shown.table):
            # With the map itself in one frame, not in one after the other.
            with self.app.batch_update():
                self._tell(event.index)
                self._show_near(self._code_at(event.index))

    def _tell(self, index: int) -> None:
        """Say in words what is at the cursor."""
        from cftui.analysis.maps import mapping as maps

        assert self._shown is not None
        row = self._shown.table.iloc[index]
        kept, of = maps.trust(self._shown, index)
        quadrant, short_quadrant = words.quadrant(str(row["3"]).split()[0])
        trust, short_trust = words.trust(kept, of)
        facts = {
            "place": f"({row['0']:.3f}, {row['1']:.3f})",
            "distance": f"dist {row['2']:.3f}",
            "quadrant": quadrant,
            "ratings": plural(row["ratings"], "rating"),
            "colour": "" if self.colouring == "quadrant" else self._legend[int(self._group[index])],
            "trust": trust,
        }
        line = words.told(
            printable(row["title"]), facts, {"quadrant": short_quadrant, "trust": short_trust}, self.size.width
        )
        self.query_one("#where", Static).update(line, layout=False)

    def _show_near(self, code: int) -> None:
        """What is like the item at the cursor, where that is shown."""
        from cftui.analysis import ranking

        opened, pane = self.cftui.chosen, self.query_one("#near", RowList)
        if opened is None or not pane.display:
            return
        model = opened.at(self.cftui.epoch)
        near = ranking.similar(model, code, NEIGHBOURS, only=self._only or ranking.ANY)
        self._near_codes = near["code"].to_numpy()
        score, titles, counts = near["cosine"].to_numpy(), near["title"].to_numpy(), near["ratings"].to_numpy()
        columns = (
            Column("cos", 4, right=True, values=score),
            Column(model.noun, values=titles),
            Column("rated", 5, right=True, values=counts),
        )
        pane.show(
            len(near),
            lambda i, width: scored_row(f"{cosine(score[i]):>4}", titles[i], counts[i], width),
            columns=columns,
        )
        pane.border_title = Content(f"like {printable(model.titles[code])}")
        pane.border_subtitle = "cosine"

    @on(RowList.Selected, "#near")
    def _near_selected(self, event: RowList.Selected) -> None:
        self._go_to(int(self._near_codes[event.index]))

    def _biased(self, event: RowList.Highlighted | RowList.Selected) -> int:
        """Code of the item in a row of the lists at the side."""
        return int(self._sides[event.row_list.id or ""][event.index])

    @on(RowList.Highlighted, "#highest")
    @on(RowList.Highlighted, "#lowest")
    def _bias_highlighted(self, event: RowList.Highlighted) -> None:
        """The cursor of the map goes along."""
        code = self._biased(event)
        if self._shown is not None and self._row_of[code] >= 0:
            self.query_one(PointMap).put_cursor(int(self._row_of[code]))

    @on(RowList.Selected, "#highest")
    @on(RowList.Selected, "#lowest")
    async def _bias_selected(self, event: RowList.Selected) -> None:
        await self.visit("search", self._biased(event))

    @on(PointMap.Selected)
    async def _point_selected(self, event: PointMap.Selected) -> None:
        await self.visit("search", self._code_at(event.index))

    @property
    def item(self) -> int | None:
        cursor = self.query_one(PointMap).cursor
        return None if cursor is None or self._shown is None else self._code_at(cursor)

    @property
    def can_show(self) -> bool:
        return self._shown is not None

    def show_item(self, code: int) -> None:
        self._go_to(code)

    def _go_to(self, code: int) -> None:
        from cftui.analysis.ranking import Filter

        if self._shown is None:
            return
        if self._row_of[code] < 0:
            self._only = Filter()
            self._place(keep=False)
            self.notify("the filter was removed to show it")
        points = self.query_one(PointMap)
        if self._row_of[code] >= 0:
            points.put_cursor(int(self._row_of[code]))
            points.focus()
        else:
            self.notify("this map does not have it")

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a map, what needs one is not offered; nor is the ranking of biases where there are none."""
        opened = self.cftui.chosen
        if opened is not None and action in words.NEED_MAP and self._item_map is None:
            return False
        if opened is not None and action == "biases" and not opened.model.has_bias:
            return False
        return super().check_action(action, parameters)

    def action_preset(self, name: str) -> None:
        self.preset = name
        self._paint()

    def action_tolerance(self, way: int) -> None:
        self.preset = "near"
        self._tolerance *= STEP**way
        self._paint()

    def action_colour(self) -> None:
        from cftui.analysis.maps import mapping as maps

        opened = self.cftui.chosen
        if opened is None:
            return
        ways = [way for way in maps.COLOURINGS if way != "bias" or opened.model.has_bias]
        self.colouring = ways[(ways.index(self.colouring) + 1) % len(ways)]
        self._paint()

    def action_filter(self) -> None:
        def use(asked: Filter) -> None:
            self._only = asked
            self._place()

        self.ask_filter(self._only, use)

    def action_biases(self) -> None:
        self.show_biases()

    def on_resize(self) -> None:
        """With more room a pane or a column comes into view that nothing was written to."""
        if self.cftui.chosen is not None:
            self._list_biases(self.cftui.chosen)
        self.call_after_refresh(self._write_cursor)

    def _write_cursor(self) -> None:
        # By the time this is called another model, or none, may be on show.
        cursor = self.query_one(PointMap).cursor
        if self._shown is None:
            return
        self._say_legend()
        if cursor is not None and cursor < len(self._shown.table):
            self._tell(cursor)
            self._show_near(self._code_at(cursor))

    def copy_text(self) -> str:
        """The title at the cursor."""
        cursor = self.query_one(PointMap).cursor
        return "" if cursor is None or self._shown is None else printable(self._shown.table["title"].iloc[cursor])

    def action_side(self) -> None:
        """The side column: biases, or what is like the item at the cursor."""
        self.toggle_class("-near")
        self.call_after_refresh(self._write_cursor)

    async def action_to_map(self) -> None:
        """From a list to the map, from the map to where one came from."""
        points = self.query_one("#points")
        if self.cftui.chosen is not None and not points.has_focus:
            points.focus()
        else:
            await self.action_back()

    def action_find(self) -> None:
        opened = self.cftui.chosen
        if opened is None or self._shown is None:
            return

        def go(choice: Choice) -> None:
            if choice.code is None:
                return
            # All that was found is marked, the one chosen first.
            found = opened.index.matches(choice.query, fuzzy=False).tolist() if choice.query.strip() else []
            self._found = [choice.code, *(code for code in found if code != choice.code)]
            self._go_to(choice.code)
            self._mark()

        self.app.push_screen(TitlePicker(opened, f"find which {opened.model.noun}?"), self.while_open(go))

    def _code_at(self, row: int) -> int:
        assert self._shown is not None
        return int(self._shown.table["code"].iloc[row])

    def _mark(self) -> None:
        import numpy as np

        rows = self._row_of[np.array(self._found, dtype=np.int64)] if self._found else np.empty(0, np.int64)
        self.query_one(PointMap).mark(rows[rows >= 0])

    def action_next(self, step: int) -> None:
        """Through what was found and is on the map."""
        there = [code for code in self._found if self._row_of[code] >= 0]
        if not there:
            self.notify("nothing found yet; / searches the map")
            return
        cursor = self.query_one(PointMap).cursor
        here = there.index(self._code_at(cursor)) if cursor is not None and self._code_at(cursor) in there else -step
        self._go_to(there[(here + step) % len(there)])

    def action_export(self) -> None:
        from cftui.tui.shell.export import ask_for_file

        opened = self.cftui.chosen
        if opened is not None and self._shown is not None:
            ask_for_file(self.app, f"map-{opened.name}.svg", ("svg", "png", "csv"), self._write)

    def _write(self, path: Path) -> str:
        """What is in view as a picture, or everything that is shown as a CSV."""
        from cftui.analysis.maps.pictures import draw_map
        from cftui.files import write_atomic

        opened, shown = self.cftui.chosen, self._shown
        assert opened is not None
        assert shown is not None
        if path.suffix.lower() == ".csv":
            table = shown.table[["0", "1", "2", "3", "title", "ratings"]]
            write_atomic(path, table.to_csv(index=False))
            return f"{len(table):,} rows"
        corners = self._labelled()
        labels = {int(self._row_of[c]): t for c, t in zip(corners["code"], corners["title"], strict=True)}
        cursor = self.query_one(PointMap).cursor
        if cursor is not None:
            labels = {cursor: str(shown.table["title"].iloc[cursor]), **labels}
        shares = ["", ""] if shown.variance is None else [f" ({share(held)})" for held in shown.variance]
        draw_map(
            path,
            shown.xy,
            self._group,
            labels,
            title=f"{opened.name}: {len(shown.table):,} {opened.model.nouns}",
            x_label=shown.axes[0] + shares[0],
            y_label=shown.axes[1] + shares[1],
            colours=LIGHT.ramp if self._in_fifths else LIGHT.groups,  # a picture is drawn on white
            legend=self._legend,
            view=self.query_one(PointMap).view,
        )
        return f"{len(shown.table):,} {opened.model.nouns}"
