"""The map as a picture: what the files hold, that they show it where it is, and that nothing in a title breaks them."""

from __future__ import annotations

import importlib
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cftui.analysis.maps import pictures
from cftui.analysis.maps.pictures import draw_map, place, text_width
from cftui.errors import CftuiError

RED, GREEN, BLUE = "#d62728", "#2ca02c", "#1f77b4"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '[REC] <2007> & co "quoted"'


def draw(path: Path, xy, group=None, labels=None, **options) -> Path:
    xy = np.asarray(xy, dtype=float)
    settings = {"title": "a map", "x_label": "PC1", "y_label": "PC2", "colours": (RED, GREEN, BLUE), **options}
    draw_map(path, xy, np.zeros(len(xy), int) if group is None else np.asarray(group), labels or {}, **settings)
    return path


def texts(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")]


def dots(path: Path) -> list[tuple[str, list[tuple[float, float]]]]:
    """Colour and places, in pixels, of each lot of dots."""
    found = []
    for element in ElementTree.parse(path).iter(f"{SVG}path"):
        steps = re.findall(r"m(-?\d+) ?(-?\d+)h0", element.get("d", ""))
        assert "".join(f"m{x} {y}h0" for x, y in steps).replace(" -", "-") == element.get("d")
        places = np.cumsum(np.array(steps, dtype=int).reshape(-1, 2), axis=0) / 10
        found.append((element.get("stroke", ""), [tuple(place) for place in places.tolist()]))
    return found


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"), dtype=int)


def close_to(shown: np.ndarray, colour: str, reach: int = 90) -> np.ndarray:
    """Where a picture is about this colour, bool ``[height, width]``."""
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return np.abs(shown - wanted).sum(axis=2) < reach


@pytest.fixture(scope="module")
def cloud() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    return random.normal(size=(300, 2)), random.integers(0, 3, 300)


def test_an_svg_holds_points_labels_legend_and_axes(cloud, tmp_path: Path) -> None:
    xy, group = cloud
    far = np.argsort(-np.hypot(*xy.T))[:3].tolist()
    labels = dict(zip(far, ["Misérables, Les (1995)", HOSTILE, "七人の侍"], strict=True))
    path = draw(tmp_path / "map.svg", xy, group, labels, legend=["Drama", "Comedy", "Sci-Fi & more"])
    root = ElementTree.parse(path).getroot()
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("1600", "1000", "0 0 1600 1000")
    assert root.findtext(f"{SVG}title") == "a map"
    shown = texts(path)
    for wanted in (*labels.values(), "Drama", "Comedy", "Sci-Fi & more", "PC1", "PC2", "a map", "0"):
        assert wanted in shown
    assert shown.count("Drama") == 1
    lots = dots(path)
    assert [colour for colour, _ in lots[:3]] == [RED, GREEN, BLUE]
    assert [len(places) for _, places in lots[:3]] == np.bincount(group).tolist()


def test_points_lie_where_the_axes_say(tmp_path: Path) -> None:
    path = draw(tmp_path / "map.svg", [(0, 0), (1, 0), (0, 2)], [0, 1, 2], view=(-2, 2, -4, 4))
    (origin,), (right,), (up,) = (places for _, places in dots(path))
    lines = [
        [float(line.get(at, "")) for at in ("x1", "y1", "x2", "y2")]
        for line in ElementTree.parse(path).iter(f"{SVG}line")
    ]
    upright = next(line for line in lines[::-1] if line[0] == line[2])
    level = next(line for line in lines[::-1] if line[1] == line[3])
    assert origin == pytest.approx((upright[0], level[1]), abs=0.1)
    # A quarter of the frame to the right, and a quarter up.
    assert right == pytest.approx((origin[0] + (level[2] - level[0]) / 4, origin[1]), abs=0.1)
    assert up == pytest.approx((origin[0], origin[1] - (upright[3] - upright[1]) / 4), abs=0.1)


def test_a_png_has_the_size_the_colours_and_the_places(tmp_path: Path) -> None:
    where: dict[str, Path] = {}
    for suffix in ("svg", "png"):
        where[suffix] = draw(
            tmp_path / f"map.{suffix}", [(-1, -1), (1, 1)], [0, 1], {0: "low", 1: "high"}, size=(800, 500)
        )
    shown = pixels(where["png"])
    assert shown.shape == (500, 800, 3)
    assert (shown[0] == 255).all()
    for colour, places in dots(where["svg"])[-2:]:
        rows, columns = np.nonzero(close_to(shown, colour))
        assert len(rows) > 10
        assert (columns.mean(), rows.mean()) == pytest.approx(places[0], abs=1.5)


def test_a_png_shows_what_an_svg_shows(cloud, tmp_path: Path) -> None:
    xy, group = cloud
    plain = pixels(draw(tmp_path / "plain.png", xy, group))
    assert plain.shape == (1000, 1600, 3)
    assert len(np.unique(plain.reshape(-1, 3) @ (1 << 16, 1 << 8, 1))) > 20
    dark = (plain.sum(axis=2) < 200).sum()
    labelled = pixels(draw(tmp_path / "labelled.png", xy, group, {0: "Misérables, Les", 1: HOSTILE}))
    assert (labelled.sum(axis=2) < 200).sum() > dark + 100
    # The y axis is named at the left edge, upright, and the x axis below.
    named = pixels(draw(tmp_path / "named.png", xy, group, x_label="", y_label="a long name of an axis"))
    ink = np.argwhere(named[:, :30].sum(axis=2) < 300)
    assert np.ptp(ink[:, 0]) > 5 * np.ptp(ink[:, 1])


def test_there_is_no_legend_for_one_group(tmp_path: Path) -> None:
    path = draw(tmp_path / "map.svg", np.eye(2), [1, 1], legend=["Drama", "Comedy"])
    assert {"Drama", "Comedy"}.isdisjoint(texts(path))


def test_the_legend_names_only_groups_that_are_shown(tmp_path: Path) -> None:
    xy = [(0, 0), (1, 1), (9, 9)]
    path = draw(tmp_path / "map.svg", xy, [0, 2, 1], legend=["Drama", "Comedy", "War"], view=(-1, 2, -1, 2))
    assert {"Drama", "War"} <= set(texts(path))
    assert "Comedy" not in texts(path)


def test_a_legend_longer_than_the_picture_says_how_much_is_missing(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"group {number}" for number in range(60)]
    path = draw(tmp_path / "map.svg", random.normal(size=(60, 2)), range(60), legend=names, size=(400, 300))
    shown = [text for text in texts(path) if text.startswith("group")]
    assert 3 < len(shown) < 60
    assert f"and {60 - len(shown)} more" in texts(path)


def test_groups_beyond_the_colours_begin_again(tmp_path: Path) -> None:
    path = draw(tmp_path / "map.svg", [(0, 0), (1, 1)], [0, 3])
    assert [colour for colour, _ in dots(path)] == [RED, RED]


def test_only_what_is_in_view_is_drawn(tmp_path: Path) -> None:
    xy = [(0, 0), (5, 0), (np.nan, 0), (0, np.inf), (1, 1)]
    labels = {1: "outside", 2: "nowhere", 3: "endless", 4: "inside", 99: "no row"}
    path = draw(tmp_path / "map.svg", xy, labels=labels, view=(-2, 2, -2, 2))
    assert len(dots(path)[0][1]) == 2
    assert {"outside", "nowhere", "endless", "no row"}.isdisjoint(texts(path))
    assert "inside" in texts(path)


def test_without_a_view_all_finite_points_are_in_it(tmp_path: Path) -> None:
    path = draw(tmp_path / "map.svg", [(1e6, 3), (2e6, 4), (np.nan, 9)])
    assert len(dots(path)[0][1]) == 2
    # The origin is out of view: the frame's four sides and the ticks, no axes.
    assert "1e+06" in texts(path)


@pytest.mark.parametrize("suffix", ["svg", "png"])
@pytest.mark.parametrize(
    "xy", [np.empty((0, 2)), [(3, 3)], [(3, 3), (3, 3)], [(np.nan, np.nan)], [(0, 0), (5e-324, 1)]]
)
def test_few_points_or_none_make_a_picture_too(suffix: str, xy, tmp_path: Path) -> None:
    path = draw(tmp_path / f"map.{suffix}", xy, labels={0: "one"})
    assert path.stat().st_size > 500


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(codec=None), max_size=20), min_size=3, max_size=3))
def test_any_text_makes_well_formed_xml(tmp_path_factory, names: list[str]) -> None:
    title, label, legend = names
    path = tmp_path_factory.mktemp("any") / "map.svg"
    draw(path, np.eye(2), [0, 1], {0: label}, title=title, x_label=label, y_label=legend, legend=[legend, title])
    assert len(texts(path)) >= 3


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_control_characters_reach_no_viewer(suffix: str, tmp_path: Path) -> None:
    odd = "a\x00b\x1b[31mc\ud83cd\ufffee\u202ef\ng"
    path = draw(tmp_path / f"map.{suffix}", np.eye(2), labels={0: odd}, title=odd)
    if suffix == "svg":
        assert "a b [31mc d e f g" in texts(path)


def test_sixty_thousand_points_stay_small(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    xy, group = random.normal(size=(60_000, 2)), random.integers(0, 5, 60_000)
    path = draw(tmp_path / "map.svg", xy, group, {row: f"title {row}" for row in range(50)})
    assert path.stat().st_size < 800_000
    assert sum(len(places) for _, places in dots(path)) > 55_000


def test_labels_do_not_overlap_and_the_first_comes_first(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    xy = random.normal(size=(400, 2)) * 0.2
    labels = {int(row): f"Film number {row} (1995)" for row in random.permutation(400)}
    path = draw(tmp_path / "map.svg", xy, labels=labels)
    shown = [text for text in texts(path) if text.startswith("Film")]
    assert 20 < len(shown) < 400
    assert shown[0] == next(iter(labels.values()))
    boxes = []
    for element in ElementTree.parse(path).iter(f"{SVG}text"):
        if (element.text or "").startswith("Film"):
            width, size = text_width(element.text, 15), float(element.get("font-size", ""))
            share = {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor", "")]
            x, y = float(element.get("x", "")) - share * width, float(element.get("y", ""))
            boxes.append((x, y - 0.75 * size, x + width, y + 0.2 * size))
    for at, (x0, y0, x1, y1) in enumerate(boxes):
        assert 0 < x0 < x1 < 1600
        for a0, b0, a1, b1 in boxes[:at]:
            assert x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0


spots = st.tuples(st.integers(0, 100), st.integers(0, 60), st.integers(1, 40), st.integers(1, 12))


@settings(deadline=None)
@given(st.lists(spots, max_size=30))
def test_placed_labels_are_inside_beside_their_point_and_apart(found: list[tuple[int, int, int, int]]) -> None:
    spread = np.array(found, dtype=float).reshape(-1, 4)
    points, sizes = spread[:, :2], spread[:, 2:]
    corners = place(points, sizes, (0, 0, 100, 60), gap=2)
    assert len(corners) == len(found)
    taken: list[tuple[float, float, float, float]] = []
    for (x, y), (width, height), corner in zip(points, sizes, corners, strict=True):
        sides = (
            (x + 2, y - height / 2),
            (x - 2 - width, y - height / 2),
            (x - width / 2, y - 2 - height),
            (x - width / 2, y + 2),
        )
        free = [
            (a, b)
            for a, b in sides
            if a >= 0
            and b >= 0
            and a + width <= 100
            and b + height <= 60
            and not any(a < x1 and x0 < a + width and b < y1 and y0 < b + height for x0, y0, x1, y1 in taken)
        ]
        assert corner == (free[0] if free else None)
        if corner is not None:
            taken.append((*corner, corner[0] + width, corner[1] + height))


def test_letters_that_pillows_own_font_lacks_are_found_elsewhere_or_done_without(monkeypatch) -> None:
    assert pictures._lettering("Toy Story (1995)") == ("", "Toy Story (1995)")
    font, drawn = pictures._lettering("Misérables")
    assert (font, drawn) == ("", "Miserables") or (font in pictures.FONTS and drawn == "Misérables")
    monkeypatch.setattr(pictures, "FONTS", ())
    assert pictures._lettering("Misérables, 七") == ("", "Miserables, ?")


@pytest.mark.parametrize("name", ["map.pdf", "map", "map.svg.gz"])
def test_other_formats_are_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match=r"is written as \.svg or \.png"):
        draw(tmp_path / name, np.eye(2))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match="nowhere: no such folder"):
        draw(tmp_path / "nowhere" / "map.svg", np.eye(2))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"group": [0]}, "must be"),
        ({"view": (1, 1, 0, 1)}, "nothing can be seen"),
        ({"view": (0, 1, 0, np.inf)}, "nothing can be seen"),
        ({"size": (100, 1000)}, "too few"),
        ({"colours": ()}, "no colours"),
        ({"colours": ('red" onload="x',)}, "color"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=complaint):
        draw(tmp_path / "map.svg", np.eye(2), **change)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["svg", "PNG"])
def test_a_picture_that_cannot_be_written_leaves_the_old_one(suffix: str, tmp_path: Path, monkeypatch, tree) -> None:
    path = draw(tmp_path / f"map.{suffix}", np.eye(2))
    before = tree(tmp_path)
    monkeypatch.setattr("cftui.files.os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        draw(path, np.eye(2) * 3)
    assert tree(tmp_path) == before


def test_without_pillow_the_error_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "cftui.analysis.maps.pictures")
    with pytest.raises(CftuiError, match=r"needs Pillow.*pip install 'cftui-workbench\[pictures\]'"):
        importlib.import_module("cftui.analysis.maps.pictures")
