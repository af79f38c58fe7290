"""What adapters of command-line agents are built from, ours and anybody's.

`Program` finds the program, `options_of` checks a step's options, `arguments_for` holds the agent to
its permissions, `run_lines` and `run_jsonl` run it and leave nothing behind; `prompt_of` and
`last_json` ask for data in words and find it in the answer.
"""

from .agents.cli import (
    Ending,
    Program,
    arguments_for,
    no_forks,
    options_of,
    run_jsonl,
    run_lines,
    scratch_folder,
)
from .agents.structured import last_json, prompt_of

__all__ = [
    "Ending",
    "Program",
    "arguments_for",
    "last_json",
    "no_forks",
    "options_of",
    "prompt_of",
    "run_jsonl",
    "run_lines",
    "scratch_folder",
]
