"""`python -m tests.simulator --seeds N [--first S]`, or `--seed S -v` to see one again."""

import argparse
import gc
import json
import sys
import time

from tests.simulator.simulate import Report, shrink, simulate


def main() -> int:
    """Simulate seeds, and tell the first that goes wrong, with a smaller program where there is one."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to simulate")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="simulate this one alone")
    parser.add_argument("--program", help="in place of the seed's own, as JSON")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at what goes wrong")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell all that happens")
    options = parser.parse_args()
    if options.seed is not None:
        program = json.loads(options.program) if options.program else None
        report = simulate(options.seed, program, detailed=options.verbose)
        _tell(report, verbose=options.verbose)
        return int(bool(report.wrong))
    return _many(options.first, options.seeds, keep_going=options.keep_going)


def _many(first: int, seeds: int, *, keep_going: bool) -> int:
    gc.freeze()  # what was imported stays: looking through it again and again takes a tenth of the time
    gc.set_threshold(20_000, 20, 50)
    began = time.monotonic()
    operations = failures = 0
    for seed in range(first, first + seeds):
        report = simulate(seed)
        operations += report.operations
        if report.wrong:
            failures += 1
            print(f"seed {seed}: {report.wrong[:300]}", flush=True)
            if not keep_going:
                _tell(shrink(seed, report.program), verbose=True)
                return 1
        done = seed - first + 1
        if done % 100 == 0 or done == seeds:
            rate = done / (time.monotonic() - began)
            print(f"{done} seeds, {operations} operations, {rate:.0f} seeds/s", file=sys.stderr)
    return int(failures > 0)


def _tell(report: Report, *, verbose: bool) -> None:
    print(f"seed {report.seed}: {report.wrong or 'all is well'}")
    print(f"program: {json.dumps(report.program)}")
    if verbose:
        print("\n".join(["what happened:", *report.trace, "the log:", *report.events]))
    if report.wrong:
        print(f"again: python -m tests.simulator --seed {report.seed} -v", end="")
        print(f" --program '{json.dumps(report.program)}'")


if __name__ == "__main__":
    sys.exit(main())
