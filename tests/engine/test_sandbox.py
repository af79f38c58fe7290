"""Runs whose steps are confined, by the workflow's word or the project's."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast import Run, workflow
from holdfast.config import Config, SandboxConfig
from holdfast.errors import InSandbox
from holdfast.eventlog import AttemptFailed, StepFailed, StepStarted
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    Confinement,
    Emit,
    Needs,
    Readiness,
    Wrapped,
    hookimpl,
)
from holdfast.project import Project
from tests.support.cage import needs_bubblewrap
from tests.support.lab import Lab

SHOWN = "HOLDFAST_SANDBOX"


class Paper:
    """A sandbox that keeps nothing back, and notes what it was asked."""

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.asked: list[Confinement] = []

    def wrap(self, argv: Any, env: Any, folder: Path, within: Confinement) -> Wrapped:
        self.asked.append(within)
        return Wrapped(list(argv), "paper: ")

    def readiness(self) -> Readiness:
        return Readiness(self.ready, "made of paper." if self.ready else "out of paper.")


class Loner:
    """An agent that does all in this process."""

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        (task.folder / "loner").touch()
        return AgentResult(text="done")

    def readiness(self) -> Readiness:
        return Readiness(True, "always")


class Talker(Loner):
    needs = Needs(env=("TALKER_*",))


class Offers:
    def __init__(self, paper: Paper) -> None:
        self.paper = paper

    @hookimpl
    def holdfast_sandboxes(self) -> dict[str, Any]:
        return {"paper": self.paper}

    @hookimpl
    def holdfast_agents(self) -> dict[str, Any]:
        return {"loner": Loner(), "talker": Talker()}


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def lab(tmp_path: Path, paper: Paper) -> Any:
    made = Lab(tmp_path, Offers(paper))
    yield made
    made.log.close()


def project(**settings: Any) -> Config:
    return Config(sandbox=SandboxConfig(**settings))


@workflow
async def show(run: Run, sandbox: str | None = None, network: bool | None = None) -> str:
    said = await run.shell(
        "show", f"echo ${SHOWN}; touch made", sandbox=sandbox, network=network, check=False
    )
    return said.stdout.strip()


@workflow
async def ask(run: Run, agent: str, network: bool | None = None) -> str:
    return await run.agent("ask", "do it", agent=agent, sandbox="paper", network=network, retries=0)


async def test_without_a_word_nothing_is_confined(lab: Lab, paper: Paper) -> None:
    assert (await lab.run(show)).output == ""
    assert paper.asked == []


async def test_the_workflow_goes_before_the_project(lab: Lab, paper: Paper) -> None:
    config = project(default="paper")

    assert (await lab.run(show, run="a", config=config)).output == "paper"
    assert (await lab.run(show, {"sandbox": "none"}, run="b", config=config)).output == ""
    assert (await lab.run(show, {"sandbox": "paper"}, run="c")).output == "paper"
    assert len(paper.asked) == 2


async def test_the_network_is_given_by_the_step_or_the_project(lab: Lab, paper: Paper) -> None:
    await lab.run(show, run="a", config=project(default="paper"))
    await lab.run(show, run="b", config=project(default="paper", network=True))
    await lab.run(show, run="c", config=project(default="paper", network="agents"))
    await lab.run(show, {"network": False}, run="d", config=project(default="paper", network=True))
    await lab.run(ask, {"agent": "command"}, run="e", config=project(network="agents"))

    assert [within.network for within in paper.asked] == [False, True, False, False]


async def test_what_a_sandbox_goes_by(lab: Lab, paper: Paper) -> None:
    config = project(default="paper", read=["/opt/data"], write=["~/cache"], processes=50)

    await lab.run(show, config=config)

    (within,) = paper.asked
    assert within.folder == lab.folder
    assert within.hidden == (lab.folder / "log",)
    assert lab.folder / "holdfast.toml" in within.keep
    assert Path(__file__) in within.keep
    assert (within.read, within.write) == ((Path("/opt/data"),), (Path("~/cache").expanduser(),))
    assert within.processes == 50


async def test_of_the_environment_only_what_is_allowed_gets_in(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "secret")
    monkeypatch.setenv("MY_FLAG", "1")
    monkeypatch.setenv("LC_TIME", "C")

    @workflow
    async def environment(run: Run) -> str:
        return (await run.shell("env", "env", env={"GIVEN": "2"}, sandbox="paper")).stdout

    outcome = await lab.run(environment, config=project(env=["MY_*"]))

    lines = dict(line.partition("=")[::2] for line in outcome.output.splitlines())
    assert {"MY_FLAG", "LC_TIME", "GIVEN", "PATH", "HOLDFAST_STEP"} <= set(lines)
    assert "DATABASE_URL" not in lines


@pytest.mark.parametrize(
    ("input", "code", "words"),
    [
        ({"agent": "loner"}, "not_confinable", "'loner' cannot be put in the sandbox 'paper'"),
        ({"agent": "talker"}, "not_confinable", "'talker' talks to its model over the network"),
    ],
)
async def test_an_agent_that_cannot_be_confined_is_not_begun(
    lab: Lab, input: dict[str, Any], code: str, words: str
) -> None:
    outcome = await lab.run(ask, input)

    assert outcome.status == "failed"
    (failed,) = lab.events(kind=StepFailed)
    assert failed.error.code == code
    assert words in failed.error.message
    assert not (lab.folder / "loner").exists()


async def test_a_sandbox_that_cannot_work_is_an_error_and_nothing_runs(
    lab: Lab, paper: Paper
) -> None:
    paper.ready = False

    outcome = await lab.run(show, {"sandbox": "paper"})

    assert outcome.status == "failed"
    (failed,) = lab.events(kind=StepFailed)
    assert failed.error.code == "sandbox_unavailable"
    assert "the sandbox 'paper' cannot work here: out of paper." in failed.error.message
    assert 'sandbox="none"' in failed.error.message
    assert not (lab.folder / "made").exists()


async def test_a_sandbox_that_nobody_knows_is_named_and_nothing_runs(lab: Lab) -> None:
    outcome = await lab.run(show, {"sandbox": "bublewrap"})

    assert outcome.status == "failed"
    (failed,) = lab.events(kind=StepFailed)
    assert failed.error.code == "unknown_sandbox"
    assert (
        "no sandbox is called 'bublewrap'; there are: none, bubblewrap, paper"
        in failed.error.message
    )
    assert not (lab.folder / "made").exists()


async def test_what_the_workflow_says_is_read_by_the_step_and_what_the_project_says_is_not(
    lab: Lab,
) -> None:
    await lab.run(show, run="a")
    await lab.run(show, run="b", config=project(default="paper", network=True))
    await lab.run(show, {"sandbox": "paper"}, run="c")
    await lab.run(show, {"network": False}, run="d")

    prints = [lab.events(run, kind=StepStarted)[0].fingerprint for run in "abcd"]
    assert prints[0] == prints[1]
    assert len({prints[0], prints[2], prints[3]}) == 3


def test_who_is_in_a_sandbox_cannot_open_the_projects_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHOWN, "paper")

    with pytest.raises(InSandbox, match="inside of the sandbox 'paper' of a step"):
        Project.find(start=tmp_path).open_log(create=True)

    assert list(tmp_path.iterdir()) == []


# --- with the real one --------------------------------------------------------------------------

PYTHONPATH = os.pathsep.join([os.getcwd(), *sys.path])
APPROVE = f"PYTHONPATH={PYTHONPATH} {sys.executable} -m holdfast approve r release --by me"


@workflow
async def sly(run: Run) -> list[str]:
    """Let a step try to approve the gate that comes after it."""
    kept = await run.shell("keep", "cat log/data.mdb; ls log", sandbox="bubblewrap", check=False)
    told = [
        (await run.shell("approve", command, sandbox="bubblewrap", check=False)).stderr
        for command in (APPROVE, f"env -u {SHOWN} {APPROVE}")
    ]
    await run.approve("release")
    return [kept.stdout, *told]


@needs_bubblewrap
async def test_a_step_cannot_approve_its_own_gate(lab: Lab) -> None:
    config = project(
        read=[sys.prefix, sys.base_prefix, *filter(os.path.isabs, sys.path), os.getcwd()]
    )

    first = await lab.run(sly, config=config)
    lab.approve("release")
    outcome = await lab.resume(config=config)

    assert first.status == "waiting"
    kept, told, unmarked = outcome.output
    assert kept == ""
    assert told.startswith("error[in_sandbox]: ")
    assert unmarked.startswith("error[project]: there is no Holdfast project")


@workflow
async def work(run: Run) -> list[str]:
    script = "read line; echo hidden > ~/mine; echo did: $line; echo 2 >> work"
    said = await run.agent(
        "agent",
        "the task",
        agent="command",
        options={"command": ["sh", "-c", script]},
        sandbox="bubblewrap",
    )
    flaky = "echo x >> tries; test $(wc -l < tries) -ge 3"
    await run.shell("flaky", flaky, sandbox="bubblewrap", retries=3, backoff=0)
    failing = await run.shell("fail", "exit 4", sandbox="bubblewrap", check=False)
    return [said, str(failing.code)]


@needs_bubblewrap
async def test_agents_and_commands_do_their_work_in_a_sandbox(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path.parent / f"{tmp_path.name}-home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))

    outcome = await lab.run(work)

    assert outcome.output == ["did: the task", "4"]
    assert (lab.folder / "work").read_text() == "2\n"
    assert len(lab.events(kind=AttemptFailed)) == 2
    assert list(home.iterdir()) == []


@needs_bubblewrap
async def test_without_bwrap_the_run_fails_and_nothing_has_run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))

    outcome = await lab.run(show, {"sandbox": "bubblewrap"})

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "apt install bubblewrap" in outcome.error.message
    assert not (lab.folder / "made").exists()
