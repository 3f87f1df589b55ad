"""A desk for each story, made of the config.toml that stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.configured import ConfiguredDesk

HERE = Path(__file__).resolve().parent


@pytest.fixture
def desk_at(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], ConfiguredDesk]]:
    """Open the desk that the test's module names in DESK, at a local moment."""
    made: list[ConfiguredDesk] = []

    def opened(now: str) -> ConfiguredDesk:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(ConfiguredDesk(HERE / request.module.DESK / "config.toml", folder, now))
        return made[-1]

    yield opened
    for desk in made:
        desk.close()
