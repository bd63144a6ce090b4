"""Readers that need a package of an extra: each is tried where its package is installed, as `make test-all` sees to."""

from __future__ import annotations

import io
import tarfile
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from cftui.data.store import catalog
from cftui.errors import CftuiError
from cftui.home import Home
from tests.data.store.test_import_cases import CELLS, FOUR, LONG, WIDE, bring, saved

MARK = b"MATLAB 7.3 MAT-file, Platform: GLNXA64 HDF5 schema 1.00 ."


# zstd


def zstd(content: bytes) -> bytes:
    return pytest.importorskip("zstandard").ZstdCompressor().compress(content)


def test_zstd_of_a_table_and_of_a_tar(tmp_path: Path) -> None:
    assert bring(zstd(LONG.encode()), "r.csv.zst", tmp_path)[0] == FOUR
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as out:
        info = tarfile.TarInfo("a/ratings.csv")
        info.size = len(LONG)
        out.addfile(info, io.BytesIO(LONG.encode()))
    assert bring(zstd(tape.getvalue()), "r.tar.zst", tmp_path)[0] == FOUR


def test_zstd_of_several_frames_is_read_to_its_end(tmp_path: Path) -> None:
    skipped = b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello"
    half = LONG.index("bob")
    content = skipped + zstd(LONG[:half].encode()) + skipped + zstd(LONG[half:].encode())
    assert bring(content, "r.csv.zst", tmp_path)[0] == FOUR


def test_zstd_that_was_cut_or_spoilt_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{n % 997},{n % 983},{n * 7919 % 5 + 1}\n" for n in range(60_000))
    content = zstd(f"user,item,rating\n{rows}".encode())
    for spoilt in (content[: len(content) // 2], content[:-1]):
        with pytest.raises(CftuiError, match=r"not a readable zstd file \(truncated\?\): it ends within a frame"):
            bring(spoilt, "r.csv.zst", tmp_path)
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 255
    with pytest.raises(CftuiError, match="not a readable zstd file"):
        bring(bytes(flipped), "r.csv.zst", tmp_path)


def test_a_bomb_of_zstd_ends_early(tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match="a zip bomb"):
        bring(zstd(b"1,1,1\n" * 10_000_000), "r.csv.zst", tmp_path)


# Excel


def workbook(*rows: tuple[Any, ...], **more: list[tuple[Any, ...]]) -> bytes:
    book = pytest.importorskip("openpyxl").Workbook()
    for row in rows:
        book.active.append(row)
    for name, table in more.items():
        sheet = book.create_sheet(name)
        for row in table:
            sheet.append(row)
    return saved(book.save)


HEAD = ("user", "item", "rating")


def test_a_workbook_that_understates_its_size_is_read_whole(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(HEAD, *FOUR))) as bundle, zipfile.ZipFile(out, "w") as copy:
        for name in bundle.namelist():
            copy.writestr(name, bundle.read(name).replace(b'<dimension ref="A1:C5"', b'<dimension ref="A1:B2"'))
    assert b'"A1:B2"' in zipfile.ZipFile(out).read("xl/worksheets/sheet1.xml")
    assert bring(out.getvalue(), "own.xlsx", tmp_path)[0] == FOUR


def test_a_workbook_by_another_name_and_in_an_archive(tmp_path: Path) -> None:
    content = workbook(HEAD, *FOUR, (None, None, None), ("cid", "tea"))
    found, said = bring(content, "own", tmp_path)
    assert found == FOUR
    assert {"1 row without any cell", "left out 1 row without a rating"} <= set(said)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        bundle.writestr("a/ratings.xlsx", content)
    assert bring(out.getvalue(), "own.zip", tmp_path)[0] == FOUR


def test_a_sheet_of_a_workbook(tmp_path: Path) -> None:
    content = workbook(("hello",), first=[HEAD, *FOUR], second=[HEAD, *FOUR[:3]])
    with pytest.raises(CftuiError, match=r"holds the sheets Sheet, first, second; name one: .*own.xlsx:Sheet"):
        bring(content, "own.xlsx", tmp_path)
    assert bring(content, "own.xlsx", tmp_path, "first")[0] == FOUR


# Parquet


def test_parquet_of_text_without_a_type_and_of_decimals(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    users, items, ratings = zip(*FOUR, strict=True)
    columns = {
        "user": arrow.array([user.encode() for user in users], arrow.binary()),
        "item": arrow.array(items).dictionary_encode(),
        "rating": arrow.array([Decimal(int(rating)) for rating in ratings], arrow.decimal128(5, 2)),
    }
    content = saved(lambda out: parquet.write_table(arrow.table(columns), out))
    assert bring(content, "own.parquet", tmp_path)[0] == FOUR
    with pytest.raises(CftuiError, match="not a readable Parquet file"):
        bring(content[:-20], "own.parquet", tmp_path)


# Matlab


def matlab73(**arrays: Any) -> bytes:
    """What Matlab writes: 512 bytes of its own before HDF5, columns first, and a group for each sparse matrix."""
    out = io.BytesIO()
    with pytest.importorskip("h5py").File(out, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            if not sparse.issparse(array):
                file[name] = np.asarray(array).T
                continue
            columns, group = array.tocsc(), file.create_group(name)
            group.attrs["MATLAB_sparse"] = np.uint64(columns.shape[0])
            group["jc"] = columns.indptr.astype(np.uint64)
            if columns.nnz:
                group["data"], group["ir"] = columns.data, columns.indices.astype(np.uint64)
    return MARK.ljust(512, b"\0") + out.getvalue()[512:]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_matlab_73(form: Any, tmp_path: Path) -> None:
    found, _ = bring(matlab73(M=form(WIDE)), "own.mat", tmp_path)
    assert sorted(found) == CELLS
    content = matlab73(first=form(WIDE), second=form(WIDE * 2))
    with pytest.raises(CftuiError, match=r"holds the arrays first, second; name one"):
        bring(content, "own.mat", tmp_path)
    assert sorted(bring(content, "own.mat", tmp_path, "first")[0]) == CELLS


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_the_layout_of_monti_et_al_with_its_own_split(form: Any, tmp_path: Path) -> None:
    test = np.zeros_like(WIDE)
    test[0, 4] = 1
    arrays = {"M": WIDE, "Otraining": (WIDE > 0) - test, "Otest": test, "W_users": np.eye(2)}
    content = matlab73(**{name: form(array) for name, array in arrays.items()})
    found, said = bring(content, "own.mat", tmp_path)
    assert sorted(found) == CELLS
    assert "with its training and test part" in said[0]
    tables = catalog.open_tables("own", Home(tmp_path / "home"))
    held = tables.ratings[tables.held_back]
    assert held[["user", "item", "rating"]].to_numpy().tolist() == [[1, 5, 2.0]]


def test_an_empty_matrix_of_matlab_73_has_no_ratings(tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match=r"no ratings in it|holds no"):
        bring(matlab73(M=sparse.csr_matrix((3, 4))), "own.mat", tmp_path)
