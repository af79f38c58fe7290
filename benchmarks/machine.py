"""The machine and the programs that figures were measured on."""

import os
import platform
from pathlib import Path

import lmdb


def describe(folder: Path) -> dict[str, str]:
    """Return what a reader of figures must know; `folder` is where the logs are."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "cpu": f"{_cpu()}, {os.cpu_count()} cores",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "lmdb": f"{'.'.join(map(str, lmdb.version()))} (py-lmdb {lmdb.__version__})",
        "kernel": platform.release(),
        "disk": _file_system(folder.resolve()),
        "load": load,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on: what is mounted nearest above."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    above = [(len(at), kind) for at, kind in mounts if folder.is_relative_to(at)]
    return max(above)[1] if above else "unknown"
