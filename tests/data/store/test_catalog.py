"""A data set's name is resolved once, and what has been read stays with the handle."""

from __future__ import annotations

import dataclasses

import pytest

from cftui.data.store import catalog
from cftui.data.store.registry import KNOWN
from cftui.errors import CftuiError
from cftui.home import Home


@pytest.fixture
def counted(tiny_home: Home, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each reading of the tiny data set."""
    readings: list[str] = []
    known = KNOWN["tiny"]

    def read(folder):
        readings.append(str(folder))
        return known.read(folder)

    monkeypatch.setitem(KNOWN, "tiny", dataclasses.replace(known, read=read))
    return readings


def test_a_handle_reads_its_files_once(tiny_home: Home, counted: list[str]) -> None:
    data_set = catalog.find("tiny", tiny_home)
    assert data_set.is_present
    ratings = data_set.ratings()
    assert data_set.ratings("title") is ratings
    assert data_set.tables.fingerprint == ratings.fingerprint
    assert data_set.ratings("id") is not ratings
    assert counted == [str(tiny_home.data / "tiny")]


def test_a_handle_of_what_is_not_there_says_how_to_get_it(tiny_home: Home) -> None:
    data_set = catalog.find("ml-1m", tiny_home)
    assert not data_set.is_present
    for use in (lambda: data_set.tables, data_set.ratings, data_set.remove):
        with pytest.raises(CftuiError, match=r"ml-1m is not in .* yet; fetch it with: cftui data get ml-1m"):
            use()
    with pytest.raises(CftuiError, match="no data set 'ml-2m'"):
        catalog.find("ml-2m", tiny_home)


def test_every_published_set_has_one_row(tiny_home: Home) -> None:
    # Other tests add sets of their own.
    published = [known for known in KNOWN.values() if known.name.startswith("ml-")]
    assert len(published) >= 7
    for known in published:
        assert set(known.required) <= set(known.members)
        assert known.url.endswith(f"/{known.name}.zip")
        assert known.layout is None or (known.layout.name, known.layout.label) == (known.name, known.label)


def test_a_removed_set_is_gone(tiny_home: Home) -> None:
    data_set = catalog.find("tiny", tiny_home)
    assert data_set.remove() == tiny_home.data / "tiny"
    assert not data_set.is_present
    assert not list(tiny_home.data.iterdir())
