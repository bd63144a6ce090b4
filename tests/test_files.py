"""Writing: what is no ordinary file is written through, and what the dead leave behind goes."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cftui import files, leftovers, locks
from cftui.files import new_folder, remove_folder, replacing, update_json, write_atomic

Write = Callable[[Path, str], None]


def _filled(path: Path, text: str) -> None:
    with replacing(path) as new:
        new.write_text(text)


@pytest.fixture(params=[write_atomic, _filled], ids=["write_atomic", "replacing"])
def write(request: pytest.FixtureRequest) -> Write:
    found: Write = request.param
    return found


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def no_pid() -> int:
    """The number of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


# What a file is written to


def test_a_new_file_obeys_the_umask(tmp_path: Path, write: Write) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "private", "x")
        os.umask(0o022)
        write(tmp_path / "public", "x")
    finally:
        os.umask(before)
    assert [_mode(tmp_path / name) for name in ("private", "public")] == [0o600, 0o644]


def test_an_existing_file_keeps_its_mode(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "kept"
    for mode in (0o600, 0o664, 0o755):
        path.write_text("old")
        path.chmod(mode)
        write(path, "new")
        assert (path.read_text(), _mode(path)) == ("new", mode)


def test_a_link_is_followed_also_to_what_does_not_exist_yet(tmp_path: Path, write: Write) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name in ("there", "not-yet"):
        target, link = tmp_path / "elsewhere" / name, tmp_path / f"link-to-{name}"
        link.symlink_to(target)
        if name == "there":
            target.write_text("old")
        write(link, "new")
        assert link.is_symlink()
        assert target.read_text() == "new"
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"there", "not-yet"}


def test_the_reader_of_a_pipe_gets_what_is_written(tmp_path: Path, write: Write) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write(pipe, "rows\n" * 50_000)  # more than a pipe holds
    reader.join(20)
    assert got == ["rows\n" * 50_000]
    assert pipe.is_fifo()


def test_a_pipe_without_a_reader_is_not_waited_for_for_ever(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PIPE_SECONDS", 0.05)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="nobody reads from this pipe") as caught:
        write(tmp_path / "pipe", "x")
    assert caught.value.filename == str(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_a_device_is_written_through(tmp_path: Path, write: Write) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        write(device, "x")
    except PermissionError:
        pytest.skip("only root may make a device, and only where devices may be opened")
    assert stat.S_ISCHR(device.stat().st_mode)


def test_a_descriptor_of_the_shell_is_written_through(tmp_path: Path) -> None:
    """``--csv /dev/stdout > file``: the shell keeps its file."""
    script = "from cftui.files import *; write_atomic(Path('/dev/stdout'), 'new')"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", script], stdout=out, check=True)
        assert os.fstat(out.fileno()).st_ino == (tmp_path / "out").stat().st_ino
    assert (tmp_path / "out").read_text() == "new"


def test_a_full_disk_names_the_file_and_leaves_the_old(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        write(path, "new")
    assert caught.value.filename == str(path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("kept", "old")]


# What is left behind


def test_the_next_writer_sweeps_up_what_the_dead_left_and_nothing_else(tmp_path: Path, no_pid: int) -> None:
    def left(name: str, pid: int) -> Path:
        path = leftovers.unfinished(tmp_path / name, "part")
        return path.with_name(path.name.replace(f"-{os.getpid()}-", f"-{pid}-"))

    dead, living = left("a.csv", no_pid), left("b.csv", os.getppid())
    for path in (dead, living, tmp_path / ".mine.part-1", tmp_path / ".mine.csv.abc12345"):
        path.write_text("x")
    write_atomic(tmp_path / "c.csv", "x")
    assert not dead.exists()
    assert {path.name for path in tmp_path.iterdir()} == {living.name, ".mine.part-1", ".mine.csv.abc12345", "c.csv"}


def test_a_new_process_with_the_number_of_a_dead_one_does_not_own_its_files(tmp_path: Path) -> None:
    path = leftovers.unfinished(tmp_path / "a.csv", "part")
    path = path.with_name(path.name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-"))
    path.write_text("x")
    os.utime(path, (1, 1))
    leftovers.sweep(tmp_path)
    assert not path.exists()


def test_the_removal_that_was_killed_is_finished_by_the_next(tmp_path: Path, no_pid: int) -> None:
    for name in (f".old.incoming-{no_pid}-abc", ".old.removed-abc", "set"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    (tmp_path / ".old.lock").write_text(str(no_pid))
    remove_folder(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    remove_folder(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["real"]


# Several processes


def test_two_builders_of_one_folder_never_meet(tmp_path: Path) -> None:
    target = tmp_path / "set"
    with new_folder(target) as building:
        (building / "first").touch()
        who = f"set is being written by process {os.getpid()}; wait"
        with pytest.raises(locks.Busy, match=who), new_folder(target):
            raise AssertionError
        with pytest.raises(locks.Busy):
            remove_folder(target)
        with new_folder(tmp_path / "other"):
            pass
    assert {path.name for path in tmp_path.iterdir()} == {"set", "other"}
    assert [path.name for path in target.iterdir()] == ["first"]


def _add(path: Path, number: int) -> None:
    update_json(path, lambda kept: kept.update({str(number): number}))


def test_nothing_that_several_add_at_once_is_lost(tmp_path: Path) -> None:
    path = tmp_path / ".kept.json"
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_add, args=(path, number)) for number in range(12)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert json.loads(path.read_text()) == {str(number): number for number in range(12)}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
