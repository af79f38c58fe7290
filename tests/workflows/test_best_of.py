"""The shipped workflow `best-of`: candidates side by side, ranked, one merged."""

import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.workflows.best_of import best_of
from holdfast.workflows.candidates import NoCandidate
from tests.support.desk import Act, Desk
from tests.support.hands import Hands, told
from tests.support.lab import Crash

GREEN = "test ! -e broken.txt || { echo broken; exit 1; }"


class Field:
    """Candidates that write their own name, and judges that give points by it."""

    def __init__(self, **points: int) -> None:
        self.points = points
        self.orders: list[list[str]] = []

    def __call__(self, prompt: str, folder: Path) -> Any:
        if prompt.startswith("Judge"):
            return self.judge(prompt)
        (name,) = re.findall(r"candidate-\d", str(folder))
        return self.make(name, prompt, folder)

    def judge(self, prompt: str) -> Any:
        names = re.findall(r"^## (\S+):", prompt, re.MULTILINE)
        self.orders.append(names)
        return {
            "scores": [
                {"candidate": name, "points": self.points[name[-1]], "why": f"of {name}"}
                for name in names
            ]
        }

    def make(self, name: str, prompt: str, folder: Path) -> Any:
        (folder / "a.txt").write_text(f"{name}\n")
        return f"{name} is made"


async def test_the_best_is_merged_and_a_crash_while_judging_makes_no_candidate_again(
    lab: Hands,
) -> None:
    class Fatal(Field):
        def judge(self, prompt: str) -> Any:
            if not self.orders:
                self.orders.append([])
                raise Crash
            return super().judge(prompt)

    lab.act = field = Fatal(**{"1": 3, "2": 9})

    assert await lab.dies(lab.play(best_of, goal="write", test=GREEN, n=2))
    found = told(await lab.go_on(), best_of)

    assert found.winner == "candidate-2"
    assert lab.files() == {"a.txt": "candidate-2\n"}
    assert found.markdown.startswith("# candidate-2 is in main\n")
    assert "| **candidate-2** | by role | green | 2 | 9 |" in found.markdown
    assert [lab.repo.git("show", f"{one.branch}:a.txt") for one in found.candidates] == [
        "candidate-1",
        "candidate-2",
    ]
    assert field.orders[-1] != field.orders[-2]
    assert lab.repo.git("status", "--porcelain") == ""
    assert lab.done_again() == []
    assert sum(prompt.startswith("write") for prompt in lab.prompts) == 2
    assert lab.replays()


async def test_what_cannot_be_merged_is_left_with_the_reason(lab: Hands) -> None:
    class Meanwhile(Field):
        def judge(self, prompt: str) -> Any:
            lab.repo.write({"a.txt": "mine\n"})
            return super().judge(prompt)

    lab.act = Meanwhile(**{"1": 5, "2": 6})

    found = await lab.report(best_of, goal="write", test=GREEN, n=2, judges=1)

    assert found.title == "Nothing is merged"
    assert "uncommitted changes: 'a.txt'" in found.left[0]
    assert f"on the branch `{found.candidates[1].branch}`" in found.left[0]
    assert lab.files() == {"a.txt": "mine\n"}


def at_desk(
    field: Field, red: str = "", n: int = 2, judges: int = 1, act: Act | None = None, **given: Any
) -> Desk:
    """Play it with candidates of so many lines as their number, of which some are red."""

    def does(prompt: str) -> Any:
        return field.judge(prompt) if prompt.startswith("Judge") else "made"

    def sh(key: str, _: str) -> str:
        if key.endswith("/diff"):
            return "+line\n" * int(key[len("candidate-")])
        if key.endswith("/test") and red and re.match(red, key):
            raise ValueError(f"{key} fails")
        return ""

    return Desk(best_of, act or does, sh, goal="write", n=n, judges=judges, **given)


def test_the_makers_are_those_that_are_named_and_the_judge_does_not_learn_of_them() -> None:
    makers = [{"agent": "codex", "model": "m-one"}, {"options": {"temperature": 1}}]

    desk = at_desk(Field(**{"1": 1, "2": 2}), candidates=makers, agent="claude-code")

    made = [(call.agent, call.model, dict(call.options)) for call in desk.calls]
    assert made[0] == ("codex", "m-one", {})
    assert made[1] == ("claude-code", None, {"temperature": 1})
    assert "m-one" not in desk.prompts[-1]
    assert desk.output.winner == "candidate-2"


def test_red_candidates_get_another_round_and_then_are_out() -> None:
    desk = at_desk(Field(), red=r"candidate-1\S+\[1\]|candidate-2", max_rounds=2)

    assert desk.output.winner == "candidate-1"
    assert len(desk.prompts) == 4  # nobody judges the only one
    assert "The tests fail:\ncandidate-1" in "".join(desk.prompts)
    assert desk.output.candidates[1].why.startswith("The tests fail:\n")
    assert "| candidate-2 | by role | out | 2 | 0 |" in desk.output.markdown


def test_where_nothing_is_good_it_fails_and_says_why() -> None:
    def act(prompt: str) -> Any:
        raise ValueError("I will not")

    with pytest.raises(
        NoCandidate, match=r"none of 2 candidates can be merged[^$]*I will not"
    ) as it:
        print(at_desk(Field(), act=act).output)

    assert it.value.code == "no_candidate"


@pytest.mark.parametrize("answer", ["candidate-1", "none"])
def test_a_tie_goes_to_a_person_who_may_take_none(answer: str) -> None:
    desk = at_desk(Field(**{"1": 5, "2": 5}))
    assert desk.open == ["break the tie"]
    desk.says(answer)

    assert desk.output.winner == ("" if answer == "none" else answer)
    assert ("candidate-1/work/merge" in desk.keys) == (answer != "none")
    desk.redriven()


def test_a_tie_can_go_to_the_shorter_diff_and_a_judge_of_no_use_counts_nothing() -> None:
    class Silent(Field):
        def judge(self, prompt: str) -> Any:
            return {"scores": []}

    desk = at_desk(Silent(), on_tie="smallest")

    assert desk.output.winner == "candidate-1"
    assert "the answer of 1 of 1 judges could not be used" in desk.output.evidence
