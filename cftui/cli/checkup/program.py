"""The program and its libraries: versions, what is missing, and which extras are installed."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from cftui.cli.checkup.findings import Finding
from cftui.errors import DISTRIBUTION
from cftui.home import PACKAGE
from cftui.version import __version__

# Extras for people who work on the program itself.
DEVELOPMENT = ("test", "docs", "bench")


def program() -> Iterator[Finding]:
    yield Finding("cftui", f"{__version__}, in {PACKAGE}")
    yield Finding("Python", f"{platform.python_version()}, {sys.executable}")
    yield Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}")


def libraries() -> Iterator[Finding]:
    """Each required library with its version, compared with what the distribution asks for."""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        advice = "install it, so that the versions of its libraries can be compared"
        yield Finding("distribution", f"{DISTRIBUTION} is not installed; it runs from its source", "note", advice)
        return
    versions: dict[str, str] = {}
    extras: dict[str, list[Requirement]] = {}
    for requirement in requirements:
        marker = requirement.marker
        if marker is not None and not marker.evaluate({"extra": ""}):
            for extra in _extras():
                if marker.evaluate({"extra": extra}):
                    extras.setdefault(extra, []).append(requirement)
            continue
        version = _version(requirement.name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            says = f"{version or 'not installed'}; needed is {requirement.specifier or 'any version'}"
            yield Finding(requirement.name, says, "problem", f"pip install '{requirement.name}{requirement.specifier}'")
        else:
            versions[requirement.name] = version
    yield Finding("libraries", ", ".join(f"{name} {version}" for name, version in sorted(versions.items())))
    missing = [name for name, needed in extras.items() if any(_version(one.name) is None for one in needed)]
    installed = [name for name in extras if name not in missing]
    advice = f"to add one: pip install '{DISTRIBUTION}[{missing[0]}]'" if missing else ""
    says = f"installed: {', '.join(installed) or 'none'}; not installed: {', '.join(missing) or 'none'}"
    yield Finding("extras", says, advice=advice)


def _extras() -> list[str]:
    names = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    return [name for name in names if name not in DEVELOPMENT]


def _version(name: str) -> str | None:
    """The version of an installed distribution; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
