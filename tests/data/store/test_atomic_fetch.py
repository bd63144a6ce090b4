"""Whatever goes wrong during a fetch, what was on disk before is still there, and nothing else is."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cftui.data.store import catalog, sources
from cftui.errors import CftuiError
from cftui.files import new_folder, write_atomic
from cftui.home import Home


@pytest.fixture(params=["nothing there before", "a good copy there before"])
def home(request: pytest.FixtureRequest, tmp_path: Path, ml_100k_folder: Path) -> Home:
    home = Home(tmp_path / "home")
    if request.param.startswith("a good"):
        sources.get("ml-100k", home, source=ml_100k_folder)
    return home


def broken_copy(real: Path, folder: Path, spoil: Callable[[bytes], bytes], name: str = "u.data") -> Path:
    folder.mkdir()
    for member in ("u.data", "u.item", "u.user"):
        text = (real / member).read_bytes()
        (folder / member).write_bytes(spoil(text) if member == name else text)
    return folder


def real_zip(real: Path, path: Path) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for member in ("u.data", "u.item", "u.user"):
            bundle.write(real / member, f"ml-100k/{member}")
    return path.read_bytes()


def refused(home: Home, source: Path, tree: Callable[[Path], dict[str, bytes]]) -> str:
    """Fetching fails with one line; the home is as before. Returns the line."""
    before = tree(home.root) if home.root.exists() else {}
    with pytest.raises(CftuiError) as caught:
        sources.get("ml-100k", home, source=source)
    assert tree(home.root) == before
    assert {p.name for p in home.data.iterdir()} <= {"ml-100k"}
    assert "\n" not in str(caught.value)
    return str(caught.value)


SPOILT = {
    "a row cut off": (lambda t: t[:-12], ":100000: "),
    "half the rows": (lambda t: t[: t.index(b"\n", len(t) // 2) + 1], "not MovieLens 100K as published"),
    "one rating altered": (lambda t: t.replace(b"196\t242\t3", b"196\t242\t4", 1), "not MovieLens 100K as published"),
    "a letter": (lambda t: t.replace(b"196\t242\t3", b"196\t242\tx", 1), ":1: rating 'x' is not a number"),
    "empty": (lambda t: b"", "no ratings in it"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_folder_changes_nothing(case: str, home: Home, tmp_path: Path, ml_100k_folder: Path, tree) -> None:
    spoil, complaint = SPOILT[case]
    source = broken_copy(ml_100k_folder, tmp_path / "spoilt", spoil)
    message = refused(home, source, tree)
    assert complaint in message
    assert str(source) in message
    assert "incoming" not in message


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_a_truncated_zip_changes_nothing(share: float, home: Home, tmp_path: Path, ml_100k_folder: Path, tree) -> None:
    whole = real_zip(ml_100k_folder, tmp_path / "whole.zip")
    (tmp_path / "cut.zip").write_bytes(whole[: int(share * len(whole))])
    assert "cut.zip: not a readable zip file" in refused(home, tmp_path / "cut.zip", tree)


@pytest.mark.parametrize("at", [60, 5_000, 400_000])
def test_a_zip_with_flipped_bytes_changes_nothing(
    at: int, home: Home, tmp_path: Path, ml_100k_folder: Path, tree
) -> None:
    whole = bytearray(real_zip(ml_100k_folder, tmp_path / "whole.zip"))
    whole[at : at + 40] = bytes(byte ^ 0xFF for byte in whole[at : at + 40])
    (tmp_path / "altered.zip").write_bytes(whole)
    assert "altered.zip" in refused(home, tmp_path / "altered.zip", tree)


@pytest.mark.parametrize("case", ["missing path", "not a zip", "empty folder", "zip of something else", "bomb"])
def test_what_is_not_the_data_set_changes_nothing(case: str, home: Home, tmp_path: Path, tree, monkeypatch) -> None:
    source = tmp_path / "given"
    if case == "not a zip":
        source.write_text("hello")
    elif case == "empty folder":
        source.mkdir()
    elif case != "missing path":
        with zipfile.ZipFile(source, "w") as bundle:
            names = ["u.data", "u.item", "u.user"] if case == "bomb" else ["readme"]
            for name in names:
                bundle.writestr(name, "x" * 2000)
        monkeypatch.setattr(sources, "MEMBER_BYTES", 1000)
    assert f"--from {source}: " in refused(home, source, tree)


@pytest.mark.parametrize("case", ["pipe", "endless device", "link out of it", "full disk", "full disk, zip"])
def test_a_source_that_never_ends_or_is_not_its_own_is_not_read(
    case: str, home: Home, tmp_path: Path, ml_100k_folder: Path, tree, monkeypatch
) -> None:
    source = tmp_path / "given"
    if case == "pipe":
        os.mkfifo(source)
    elif case == "endless device":
        source.symlink_to("/dev/zero")
    elif case == "full disk, zip":
        real_zip(ml_100k_folder, source)
    else:
        broken_copy(ml_100k_folder, source, bytes)
    if case == "link out of it":
        (tmp_path / "secret").write_text("secret")
        (source / "u.genre").symlink_to(tmp_path / "secret")
    if case.startswith("full disk"):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(9, 8, 1))
    complaint = {
        "pipe": "neither a folder nor an ordinary file; give the folder or the zip file of",
        "endless device": "neither a folder nor an ordinary file",
        "link out of it": "u.genre is a link that leads out of it; not followed",
    }
    assert complaint.get(case, "bytes do not fit on the disk of") in refused(home, source, tree)


def test_a_link_within_a_source_is_followed(tmp_path: Path, ml_100k_folder: Path) -> None:
    broken_copy(ml_100k_folder, tmp_path / "real", bytes)
    (tmp_path / "real" / "u.data").rename(tmp_path / "real" / "elsewhere")
    (tmp_path / "real" / "u.data").symlink_to("elsewhere")
    (tmp_path / "given").symlink_to("real")
    home = Home(tmp_path / "home")
    assert not (sources.get("ml-100k", home, source=tmp_path / "given") / "u.data").is_symlink()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), MemoryError])
@pytest.mark.parametrize("moment", ["while copying", "while reading"])
def test_an_interruption_leaves_nothing_half_written(
    error: BaseException, moment: str, home: Home, ml_100k_folder: Path, tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> None:
        raise error

    def copy_half(data_set: catalog.Known, source: Path, building: Path) -> None:
        (building / "u.data").write_bytes(b"half")
        stop()

    before = tree(home.root) if home.root.exists() else {}
    if moment == "while copying":
        monkeypatch.setattr(sources, "_from_path", copy_half)
    else:
        monkeypatch.setattr(catalog, "verify", stop)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        sources.get("ml-100k", home, source=ml_100k_folder)
    assert tree(home.root) == before
    assert {p.name for p in home.data.iterdir()} <= {"ml-100k"}


def test_what_a_killed_fetch_left_is_swept_away(home: Home, ml_100k_folder: Path) -> None:
    stale = home.data / ".ml-100k.incoming-dead"
    stale.mkdir(parents=True)
    (stale / "u.data").write_text("half")
    sources.get("ml-100k", home, source=ml_100k_folder)
    assert [p.name for p in home.data.iterdir()] == ["ml-100k"]


def test_a_data_set_altered_on_disk_is_not_opened(tmp_path: Path, ml_100k_folder: Path) -> None:
    home = Home(tmp_path)
    folder = sources.get("ml-100k", home, source=ml_100k_folder)
    text = (folder / "u.user").read_bytes()
    (folder / "u.user").write_bytes(text.replace(b"1|24|M", b"1|25|M", 1))
    with pytest.raises(CftuiError, match=r"truncated or altered.*cftui data get ml-100k"):
        catalog.open_tables("ml-100k", home)


def test_unknown_and_absent_data_sets_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match=r"no data set 'ml-100'; did you mean ml-100k\?"):
        catalog.open_tables("ml-100", Home(tmp_path))
    with pytest.raises(CftuiError, match="fetch it with: cftui data get ml-100k"):
        catalog.open_tables("ml-100k", Home(tmp_path))


def test_write_atomic_keeps_the_old_content_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_new_folder_puts_the_old_one_back_when_it_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "set"
    target.mkdir()
    (target / "old").write_text("old")
    replace = os.replace

    def fails_second(source: Path, destination: Path) -> None:
        if Path(destination) == target and (Path(source) / "new").exists():
            raise OSError(5, "Input/output error")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", fails_second)
    with pytest.raises(OSError, match="Input/output"), new_folder(target) as building:
        (building / "new").write_text("new")
    assert (target / "old").read_text() == "old"
