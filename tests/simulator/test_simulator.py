"""Hundreds of random workflows survive everything, and every planted defect is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.defects import DEFECTS, Defect
from tests.simulator.oracle import expected
from tests.simulator.programs import Program, make
from tests.simulator.simulate import shrink, simulate

ROOT = Path(__file__).parents[2]
SEEDS = 300
AT_ONCE = 25
SOAK = int(os.environ.get("HOLDFAST_SOAK_SEEDS", "100000"))


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_no_history_goes_wrong(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        report = simulate(seed)
        again = f"python -m tests.simulator --seed {seed} -v"
        assert not report.wrong, f"{report.wrong}\nsee it again: {again}"


@pytest.mark.soak
def test_no_history_goes_wrong_for_long() -> None:
    for seed in range(SEEDS, SEEDS + SOAK):
        report = simulate(seed)
        assert not report.wrong, f"python -m tests.simulator --seed {seed} -v: {report.wrong}"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_planted_defect_is_found(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch)
    first = DEFECTS[defect]

    assert any(simulate(seed).wrong for seed in range(first, first + SEEDS))


def test_a_failing_history_is_made_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    next(d for d in DEFECTS if d.__name__ == "timer_fires_twice")(monkeypatch)
    seed = next(seed for seed in range(SEEDS) if simulate(seed).wrong)

    shrunk = shrink(seed, make(seed))

    assert shrunk.wrong
    assert len(str(shrunk.program)) < len(str(make(seed)))


def test_a_seed_replays_exactly_whatever_the_hash_seed() -> None:
    def history(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", _TRACE],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert history("1") == history("2")


_TRACE = """
import os, re
from tests.simulator.simulate import simulate
for seed in (1, 7):
    for line in simulate(seed).trace:
        print(re.sub(f"process {os.getpid()} ", "process ", line))
"""


def test_an_expected_end_follows_from_the_program_alone() -> None:
    program: Program = [
        ["try", [["raise"]], [["wait", "news1"]], [["note", "note2"]]],
        ["loop", "loop3", 3, 2, "raise", [["race", [[["pure", "pure4"]], [["raise"]]]]]],
    ]

    assert expected(program) == (
        "succeeded",
        [["caught", ["payload of news1"]], [["raced"], ["raced"]]],
    )
    assert expected([*program, ["gate", "no5", 1, 0, "raise"]]) == ("failed", None)
