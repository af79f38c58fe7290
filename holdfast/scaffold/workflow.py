"""A workflow that can be run by name wherever the package is installed."""

from .shared import COMMANDS, Files

PLUGIN = '''\
"""What this package offers to Holdfast."""

from collections.abc import Mapping

from holdfast.plugins import hookimpl

HOLDFAST_HOOKS = 1


@hookimpl
def holdfast_workflows() -> Mapping[str, str]:
    """Offer the workflow as "module:function": it is imported when it is run."""
    return {"$name": "$package.flow:$function"}
'''

FLOW = '''\
"""The workflow `$name`."""

from holdfast import Run, workflow


@workflow
async def $function(run: Run, goal: str, command: str = "true") -> str:
    """Try a command until it succeeds, and say how often that took."""
    rounds = 0
    async for _ in run.loop("try", max=5):
        rounds += 1
        if (await run.shell("command", command, check=False)).ok:
            break
    return f"{goal}: done after {rounds}"
'''

TEST = '''\
"""The workflow, run by name as its users will."""

import json
import subprocess
import sys
from pathlib import Path

from holdfast.plugins.testing import conformance

from $package import plugin

test_plugin_conforms = conformance(plugin)


def test_it_runs_by_its_name(tmp_path: Path) -> None:
    holdfast = [sys.executable, "-m", "holdfast"]
    command = [*holdfast, "run", "$name", "--json", "-i", "goal=tidy"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "tidy: done after 1"
'''

README = f"""\
# $distribution

The workflow `$name` for Holdfast.

{COMMANDS}
`holdfast run $name -i goal="..."` runs it; `src/$package/flow.py` is the workflow. Between its calls of `run`
it may do nothing that a replay could not repeat: `holdfast check src/$package/flow.py` finds what does.
"""

FILES: Files = {
    "src/$package/plugin.py": PLUGIN,
    "src/$package/flow.py": FLOW,
    "tests/test_flow.py": TEST,
    "README.md": README,
}
