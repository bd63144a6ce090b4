"""README and documentation: short enough, no dead link, and in step with the code they describe."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from cftui.engine.models.recipes import RECIPES
from cftui.tui.shell import keys

from .conftest import CHECKOUT

README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "docs"
PAGES = [README, CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
# Written by docs/hooks.py at every build.
GENERATED = {DOCS / "reference" / "commands.md", DOCS / "reference" / "keys.md"}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def module(path: Path) -> ModuleType:
    """A file that is in no package, imported."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    return module(DOCS / "hooks.py")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as MkDocs makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def test_the_readme_is_short() -> None:
    assert len(README.read_bytes()) <= 8_192


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.is_file() or target in GENERATED, f"{page.name}: {link}"
        if anchor and target not in GENERATED:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in [*DOCS.rglob("*.md"), *GENERATED]:
        assert f": {page.relative_to(DOCS).as_posix()}\n" in navigation, page


def test_the_readmes_table_is_the_one_of_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CHECKOUT / "benchmarks"))
    monkeypatch.delitem(sys.modules, "markdown", raising=False)
    summary = module(CHECKOUT / "benchmarks" / "readme.py").summary()
    monkeypatch.delitem(sys.modules, "markdown", raising=False)
    assert f"<!-- summary -->\n{summary}\n<!-- /summary -->" in README.read_text(encoding="utf-8"), (
        "python benchmarks/readme.py --write"
    )


def test_every_recipe_is_described() -> None:
    page = (DOCS / "models" / "index.md").read_text(encoding="utf-8")
    for name in RECIPES:
        assert re.search(rf"^\| `{name}` \|", page, re.MULTILINE), name


def verbs(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from verbs(command.get_command(context, name), f"{path} {name}")


def test_the_command_reference_has_every_verb_with_every_option(hooks: ModuleType) -> None:
    page = hooks.commands_page()
    for path, command in verbs(hooks.program(), "cftui"):
        found = re.search(rf"^##+ {re.escape(path)}\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE)
        assert found, path
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not set(parameter.opts) & {"--json", "--home"}:
                assert all(option in found[1] for option in parameter.opts), (path, parameter.opts)
    assert "--json" in page
    assert "--home" in page


def test_the_page_of_keys_has_every_action(hooks: ModuleType) -> None:
    page = hooks.keys_page()
    for action in keys.ids():
        assert f"`{action}` |" in page, action
    for group in keys.ACTIONS:
        assert group in hooks.GROUPS, f"docs/hooks.py: say what the group of keys {group!r} belongs to"
