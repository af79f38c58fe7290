"""The shipped workflow `audit`: what it takes for a finding to be in the report."""

from pathlib import Path
from typing import Any

from holdfast.plugins import BadOptions
from holdfast.workflows.audit import audit
from holdfast.workflows.findings import Finding, divided, misplaced, ranking
from holdfast.workflows.tickets import read_tickets
from tests.support.hands import Hands

EVIL = {"evil.py": "import os\n\nos.system(input())\n"}
REAL = Finding("evil.py", 3, "os.system(input())", "high", "Runs what it is told", "Anybody may.")
MILD = Finding("a.txt", 1, "one", "low", "Says little", "It is short.")
MADE_UP = Finding("gone.py", 9, "eval(x)", "high", "Evaluates", "It may.")
ONE_LOOK = {"only": ["security"], "max_parts": 1}


class Auditors:
    """One finds what is listed, time after time; the other doubts as it is told."""

    def __init__(self, *found: list[Finding], holds: bool = True) -> None:
        self.found = [*found]
        self.holds = holds

    def __call__(self, prompt: str, folder: Path) -> Any:
        if prompt.startswith("Audit"):
            return {"findings": self.found.pop(0) if self.found else []}
        numbers = range(1, prompt.count("\n\n") // 2 + 1)
        said = {"holds": self.holds, "severity": "medium", "why": "seen"}
        return {"doubts": [{"number": number, **said} for number in numbers]}


async def test_what_is_there_and_cannot_be_refuted_is_ranked_and_told(lab: Hands) -> None:
    lab.repo.write(EVIL)
    lab.repo.commit()
    lab.act = Auditors([REAL])

    found = await lab.report(audit, **ONE_LOOK)

    (one,) = found.findings
    assert (one.path, one.line, one.severity, one.check) == ("evil.py", 3, "medium", "security")
    assert "`evil.py:3`" in found.markdown
    assert "no file has changed" in found.evidence
    assert {task.permissions for task in lab.tasks} == {"read"}
    assert lab.replays()


async def test_a_place_that_is_not_there_goes_back_once_and_is_left_out(lab: Hands) -> None:
    lab.act = Auditors([MADE_UP, MILD], [MADE_UP])

    found = await lab.report(audit, **ONE_LOOK)

    assert [one.title for one in found.findings] == ["Says little"]
    again = [prompt for prompt in lab.prompts if prompt.startswith("Audit")][1]
    assert again.endswith("- gone.py is none of the files")


async def test_what_is_refuted_is_left_out(lab: Hands) -> None:
    lab.act = Auditors([MILD], holds=False)

    assert (await lab.report(audit, **ONE_LOOK)).findings == []


async def test_a_look_that_fails_is_told_and_so_is_a_file_that_somebody_changed(
    lab: Hands,
) -> None:
    def act(prompt: str, folder: Path) -> Any:
        if "for security" in prompt:
            raise BadOptions("no")
        (folder / "a.txt").write_text("changed\n")
        return {"findings": []}

    lab.act = act
    found = await lab.report(audit, only=["security", "dead-code"], max_parts=1)

    assert found.left[0].startswith("security in part 1 was not looked at: ")
    assert found.title.endswith(", 1 look failed")
    assert "1 of 2 looks were made: security, dead-code" in found.evidence
    assert any(text.startswith("FILES HAVE CHANGED") for text in found.evidence)


async def test_findings_become_tickets_that_kanban_reads(lab: Hands) -> None:
    lab.repo.write(EVIL)
    lab.act = Auditors([REAL])

    found = await lab.report(audit, **ONE_LOOK, tickets=".holdfast/found")

    (ticket,) = read_tickets(str(lab.repo.root / ".holdfast/found"))
    assert [ticket.name] == found.tickets == ["audit-001-runs-what-it-is-told"]
    assert ticket.title == "Runs what it is told"
    assert "evil.py:3" in ticket.text


def test_a_place_is_held_against_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text(EVIL["evil.py"])
    late = Finding("evil.py", 9, "os", "low", "t", "w")
    other = Finding("evil.py", 2, "eval(input())", "low", "t", "w")

    said = misplaced([REAL, late, other], ["evil.py"])

    assert said == [
        "",
        "evil.py:9 is behind its end, line 3",
        "evil.py:2 does not have 'eval(input())'",
    ]


def test_files_are_divided_in_order_and_findings_ranked_once() -> None:
    assert divided(["b/1", "a/1", "a/2"], 2) == [["a/1", "a/2"], ["b/1"]]
    assert divided([], 4) == []
    assert ranking([MILD, REAL, REAL]) == [REAL, MILD]
