"""Distributions that are installed, as far as their metadata tell."""

import textwrap
from pathlib import Path


def install(folder: Path, distribution: str, entry_points: str, **modules: str) -> None:
    """Write what an installed distribution looks like on disk."""
    info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
