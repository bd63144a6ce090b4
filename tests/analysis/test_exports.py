"""Every format read back by what reads it elsewhere; the map's CSV there and back, and what can be wrong with one."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from cftui.analysis import exports
from cftui.analysis.exports import export, read_map
from cftui.analysis.maps import components
from cftui.analysis.maps import mapping as maps
from cftui.analysis.trained import TrainedModel
from cftui.errors import CftuiError

HOSTILE = (
    "tab\there",
    "two\nlines",
    'a "quoted", one; really',
    "return\rand\r\nfeed",
    "=1+1",
    "  edges  ",
    "七人の侍 🎬",
    "nul\x00 and \x1b[31mred",
    "line\u2028separator\x85and next",
    "'",
    "",
)


@pytest.fixture(scope="module", params=["model4", "model1", "collab-nn", "cross-entropy", "hybrid"])
def model(request, tiny_runs) -> TrainedModel:
    return TrainedModel.load(tiny_runs[1][request.param])


@pytest.fixture(scope="module")
def hostile(tiny_runs) -> TrainedModel:
    """Titles that no data set should have."""
    model = TrainedModel.load(tiny_runs[1]["model4"])
    titles = [*model.titles[: -len(HOSTILE)], *HOSTILE]
    return dataclasses.replace(model, item_table=model.item_table.assign(title=titles))


def learned(model: TrainedModel) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.learned._asdict().items() if value is not None}


def factors_of(table: pd.DataFrame) -> np.ndarray:
    columns = [name for name in table.columns if name[0] == "f" and name[1:].isdecimal()]
    assert columns == [f"f{at}" for at in range(len(columns))]
    return table[columns].to_numpy(np.float32)


def read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, encoding="utf-8", dtype={"item": str, "title": str})


def test_the_tiny_models_titles_are_worth_a_test(model: TrainedModel) -> None:
    assert {"[REC] (2007)", "Misérables, Les (1995)"} <= set(model.titles)


def test_csv_holds_every_item_and_user_but_the_unknown(model: TrainedModel, tmp_path: Path) -> None:
    paths = export(model, "csv", tmp_path / "out")
    assert paths == [tmp_path / "out-items.csv", tmp_path / "out-users.csv"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    items, users = map(read_csv, paths)
    wanted = learned(model)
    bias = ["bias"] if model.has_bias else []
    assert list(items.columns[: 5 + len(bias)]) == ["item", "title", "year", "genres", "ratings", *bias]
    assert list(users.columns[: 1 + len(bias)]) == ["user", *bias]
    assert items["item"].tolist() == [str(key) for key in model.items.classes[1:]]
    for name in ("title", "year", "genres", "ratings"):
        assert items[name].tolist() == model.item_table[name].tolist()[1:]
    assert users["user"].tolist() == list(model.users.classes[1:])
    np.testing.assert_array_equal(factors_of(items), wanted["item_factors"][1:])
    np.testing.assert_array_equal(factors_of(users), wanted["user_factors"][1:])
    if bias:
        np.testing.assert_array_equal(items["bias"].to_numpy(np.float32), wanted["item_bias"][1:])
        np.testing.assert_array_equal(users["bias"].to_numpy(np.float32), wanted["user_bias"][1:])


def test_npz_loads_without_pickle(model: TrainedModel, tmp_path: Path) -> None:
    assert export(model, "npz", tmp_path / "out.npz") == [tmp_path / "out.npz"]
    with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
        wanted = learned(model)
        assert set(found) == {*wanted, "titles", "users"}
        for name, array in wanted.items():
            assert found[name].dtype == np.float32
            np.testing.assert_array_equal(found[name], array)
        assert found["titles"].tolist() == model.titles
        assert found["users"].tolist() == [str(user) for user in model.users.classes]


def test_safetensors_tells_whose_the_rows_are(model: TrainedModel, tmp_path: Path) -> None:
    assert export(model, "safetensors", tmp_path / "out") == [tmp_path / "out.safetensors"]
    with safe_open(tmp_path / "out.safetensors", "numpy") as found:
        wanted = learned(model)
        assert set(found.keys()) == set(wanted)
        for name, array in wanted.items():
            np.testing.assert_array_equal(found.get_tensor(name), array)
        metadata = {name: json.loads(value) for name, value in found.metadata().items()}
    assert metadata["titles"] == model.titles
    assert metadata["users"] == list(model.users.classes)
    assert metadata["run"].items() >= model.facts().items()
    assert metadata["run"]["fingerprint"] == model.fingerprint
    assert metadata["run"]["options"]["factors"] == model.options.as_json()["factors"]


def test_tsv_is_what_the_projector_loads(model: TrainedModel, tmp_path: Path) -> None:
    vectors, metadata = export(model, "tsv", tmp_path / "out")
    assert [vectors.name, metadata.name] == ["out-vectors.tsv", "out-metadata.tsv"]
    rows = [line.split("\t") for line in vectors.read_text().split("\n")[:-1]]
    np.testing.assert_array_equal(np.array(rows, dtype=float).astype(np.float32), model.item_factors[1:])
    header, *lines = metadata.read_text(encoding="utf-8").split("\n")[:-1]
    assert header.split("\t") == ["title", "year", "genres", "ratings", *(["bias"] if model.has_bias else [])]
    assert len(lines) == len(rows)
    cells = [line.split("\t") for line in lines]
    assert {len(row) for row in cells} == {len(header.split("\t"))}
    for at, name in enumerate(("title", "year", "genres", "ratings")):
        assert [row[at] for row in cells] == [str(value) for value in model.item_table[name].tolist()[1:]]
    if model.has_bias:
        bias = np.array([row[4] for row in cells], dtype=float).astype(np.float32)
        np.testing.assert_array_equal(bias, model.item_bias[1:])


def test_hostile_titles_survive_where_the_format_can_hold_them(hostile: TrainedModel, tmp_path: Path) -> None:
    items, _ = export(hostile, "csv", tmp_path / "out")
    with items.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["title"] for row in rows] == hostile.titles[1:]
    export(hostile, "npz", tmp_path / "out")
    assert np.load(tmp_path / "out.npz", allow_pickle=False)["titles"].tolist() == hostile.titles
    export(hostile, "safetensors", tmp_path / "out")
    with safe_open(tmp_path / "out.safetensors", "numpy") as found:
        assert json.loads(found.metadata()["titles"]) == hostile.titles


def test_hostile_titles_take_one_line_and_one_column_in_tsv(hostile: TrainedModel, tmp_path: Path) -> None:
    _, metadata = export(hostile, "tsv", tmp_path / "out")
    text = metadata.read_bytes().decode()
    assert len(text.splitlines()) == len(text.split("\n")) - 1 == len(hostile.items)
    titles = [line.split("\t")[0] for line in text.splitlines()]
    assert {len(line.split("\t")) for line in text.splitlines()} == {5}
    assert titles[-len(HOSTILE) :] == [
        "tab here",
        "two lines",
        'a "quoted", one; really',
        "return and feed",
        "=1+1",
        "edges",
        "七人の侍 🎬",
        "nul and [31mred",
        "line separator and next",
        "'",
        "",
    ]


@pytest.mark.parametrize("form", list(exports.FORMS))
def test_half_a_surrogate_pair_breaks_no_format(form: str, hostile: TrainedModel, tmp_path: Path) -> None:
    titles = ["\ud83c alone", *hostile.titles[1:-1], "\udfac"]
    odd = dataclasses.replace(hostile, item_table=hostile.item_table.assign(title=titles))
    assert all(path.stat().st_size for path in export(odd, form, tmp_path / "out"))


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_a_year_that_is_not_known_is_left_empty(form: str, hostile: TrainedModel, tmp_path: Path) -> None:
    years = hostile.item_table["year"].where(hostile.item_table["title"] != "Chasing Amy (1997)", 0)
    model = dataclasses.replace(hostile, item_table=hostile.item_table.assign(year=years))
    path = export(model, form, tmp_path / "out")[0 if form == "csv" else 1]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="," if form == "csv" else "\t"))
    by_title = {row["title"]: row["year"] for row in rows}
    assert by_title["Chasing Amy (1997)"] == ""
    assert by_title["Fargo (1996)"] == "1996"


def test_a_folder_gets_files_named_after_the_run(hostile: TrainedModel, tmp_path: Path) -> None:
    for form in exports.FORMS:
        export(hostile, form, tmp_path)
    # The run's name has a dot in it, which begins no suffix.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model4.run-items.csv",
        "model4.run-metadata.tsv",
        "model4.run-users.csv",
        "model4.run-vectors.tsv",
        "model4.run.npz",
        "model4.run.safetensors",
    ]


@pytest.mark.parametrize(
    ("given", "form", "written"),
    [
        ("out.csv", "csv", ["out-items.csv", "out-users.csv"]),
        ("OUT.NPZ", "npz", ["OUT.npz"]),
        ("v1.2", "safetensors", ["v1.2.safetensors"]),
        ("v1.2.tsv", "tsv", ["v1.2-vectors.tsv", "v1.2-metadata.tsv"]),
        ("out.csv", "npz", ["out.csv.npz"]),
    ],
)
def test_the_suffix_is_added_once(given: str, form: str, written: list[str], hostile, tmp_path: Path) -> None:
    assert [path.name for path in export(hostile, form, tmp_path / given)] == written


def test_an_unknown_format_is_met_with_the_near_misses(hostile: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match=r"no format 'safetensor'; did you mean safetensors\?"):
        export(hostile, "safetensor", tmp_path)


@pytest.mark.parametrize("form", list(exports.FORMS))
def test_a_folder_that_is_not_there_is_named(form: str, hostile: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match="nowhere: no such folder"):
        export(hostile, form, tmp_path / "nowhere" / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(CftuiError, match="file: no such folder"):
        export(hostile, form, tmp_path / "file" / "out")


@pytest.mark.parametrize("form", list(exports.FORMS))
def test_a_write_that_fails_leaves_what_was_there(form: str, hostile, tmp_path: Path, monkeypatch, tree) -> None:
    paths = export(hostile, form, tmp_path / "out")
    for path in paths:
        path.write_text("before")
    before = tree(tmp_path)
    monkeypatch.setattr("cftui.files.os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        export(hostile, form, tmp_path / "out")
    assert tree(tmp_path) == before


def test_the_real_model_goes_out_whole(trained, tmp_path: Path) -> None:
    items, users = map(read_csv, export(trained[2], "csv", tmp_path))
    assert (len(items), len(users)) == (1664, 943)
    np.testing.assert_array_equal(factors_of(items), trained[2].item_factors[1:])


# --- the map ---


def map_of(model: TrainedModel) -> pd.DataFrame:
    return maps.principal_map(model)[0].table


def written(path: Path, table: pd.DataFrame) -> Path:
    """As ``cftui pca --csv`` writes it."""
    path.write_text(table[["0", "1", "2", "3", "title", "ratings"]].to_csv(index=False), encoding="utf-8")
    return path


def text(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "map.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_map_comes_back_as_it_went(trained, tmp_path: Path) -> None:
    table = map_of(trained[2])
    found = read_map(written(tmp_path / "map.csv", table))
    pd.testing.assert_frame_equal(found, table[list(found.columns)], check_exact=True, check_dtype=False)
    assert found.dtypes[["0", "1", "2", "ratings"]].astype(str).tolist() == ["float64"] * 3 + ["int64"]
    assert components.farthest(found)["title"].tolist() == components.farthest(table)["title"].tolist()


def test_hostile_titles_come_back(hostile: TrainedModel, tmp_path: Path) -> None:
    table = map_of(hostile)
    path = tmp_path / "map.csv"
    path.write_bytes(table.drop(columns="code").to_csv(index=False).encode())
    assert read_map(path)["title"].tolist() == hostile.titles[1:]


def test_the_chapters_own_file_is_read(tmp_path: Path) -> None:
    # With the index that pandas writes, and no titles.
    content = ",0,1,2,3\n0,0.010150,0.004517,0.011110,First Quadrant\n1,0.025090,-0.000186,0.025091,Fourth Quadrant\n"
    found = read_map(text(tmp_path, content))
    assert found["0"].tolist() == [0.010150, 0.025090]
    assert found["2"].tolist() == [0.011110, 0.025091]
    assert found["3"].tolist() == ["First Quadrant", "Fourth Quadrant"]
    assert list(found.columns) == ["0", "1", "2", "3"]


def test_two_coordinates_are_enough(tmp_path: Path) -> None:
    found = read_map(text(tmp_path, "\ufeff1,0\r\n-4,3\r\n0,5\r\n\r\n"))
    assert list(found.columns) == ["0", "1", "2", "3"]
    assert found.loc[0].tolist() == [3.0, -4.0, 5.0, "Fourth Quadrant"]
    assert found.loc[1, "3"] == "Center"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("0,1\n", "has a header but no rows"),
        ("0,2,title\n1,1,x\n", "no column 1; its columns are 0, 2, title"),
        ("x,y\n1,1\n", "no column 0 or 1; its columns are x, y"),
        ("0,1\n1,2\n3,four\n", "line 3: 1 is 'four', not a finite number"),
        ("0,1\n1,2\n,4\n", "line 3: 0 is '', not a finite number"),
        ("0,1\n1,nan\n", "line 2: 1 is 'nan', not a finite number"),
        ("0,1\n-inf,2\n", "line 2: 0 is '-inf', not a finite number"),
        ("0,1\n1e999,2\n", "line 2: 0 is '1e999', not a finite number"),
        ("0,1,2\n1,2,far\n", "line 2: 2 is 'far', not a finite number"),
        ("0,1,3\n1,2,Fifth Quadrant\n", "line 2: 3 is 'Fifth Quadrant', not a quadrant"),
        ("0,1,ratings\n1,2,-3\n", "line 2: ratings is '-3', not a count"),
        ("0,1,ratings\n1,2,2.5\n", "line 2: ratings is '2.5', not a count"),
        ("0,1\n1,2\n1,2,3\n", "line 3 has 3 fields, the header 2"),
        ('title,0,1\n"two\nlines",1,2\nx,1,y\n', "line 4: 1 is 'y', not a finite number"),
        ('0,1,title\n1,2,"open\n', "line 2: unexpected end of data"),
        (b"0,1,title\n1,2,a\n1,2,Mis\xe9rables\n", "line 3 is not UTF-8 text"),
    ],
)
def test_what_is_wrong_with_a_map_is_said_with_its_line(tmp_path: Path, content: str | bytes, complaint: str) -> None:
    path = text(tmp_path, content)
    with pytest.raises(CftuiError) as raised:
        read_map(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match=r"map\.csv: no such file"):
        read_map(tmp_path / "map.csv")
    with pytest.raises(CftuiError, match="directory"):
        read_map(tmp_path)


def test_any_csv_a_spreadsheet_may_save_again_is_read(trained, tmp_path: Path) -> None:
    table = map_of(trained[2])
    content = io.StringIO()
    writer = csv.writer(content, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(["title", "ratings", "0", "1"])
    writer.writerows(zip(table["title"], table["ratings"], table["0"], table["1"], strict=True))
    found = read_map(text(tmp_path, content.getvalue()))
    np.testing.assert_array_equal(found["2"], table["2"])
    assert found["3"].tolist() == table["3"].tolist()
