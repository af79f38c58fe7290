"""A project in which a scripted model counts, by calls of the shell, in processes of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.counting import FLOW, PLUGIN
from tests.support.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A project in whose environment the plugin is installed."""
    made = Site(tmp_path / "project")
    installed = tmp_path / "installed"
    about = installed / "counter-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: counter\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[holdfast]\ncounter = counter_plugin\n")
    made.write("work.py", FLOW)
    made.write("../installed/counter_plugin.py", PLUGIN)
    made.env["PYTHONPATH"] += f"{os.pathsep}{installed}"
    yield made
    made.close()
