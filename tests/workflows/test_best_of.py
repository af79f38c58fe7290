"""The shipped workflow `best-of`: candidates side by side, ranked, one merged."""

import re
from pathlib import Path
from typing import Any

from holdfast.plugins import BadOptions
from holdfast.workflows.best_of import best_of
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


async def test_the_best_is_merged_and_the_others_stay_on_their_branches(lab: Hands) -> None:
    lab.act = field = Field(**{"1": 3, "2": 9, "3": 5})

    found = await lab.report(best_of, goal="write", test=GREEN)

    assert found.winner == "candidate-2"
    assert lab.files() == {"a.txt": "candidate-2\n"}
    assert found.markdown.startswith("# candidate-2 is in main\n")
    assert "| **candidate-2** | default | green | 2 | 9 |" in found.markdown
    assert [lab.repo.git("show", f"{one.branch}:a.txt") for one in found.candidates] == [
        "candidate-1",
        "candidate-2",
        "candidate-3",
    ]
    assert field.orders[0] != field.orders[1]
    assert lab.repo.git("status", "--porcelain") == ""
    assert lab.replays()


async def test_the_makers_are_those_that_are_named_and_the_judge_does_not_learn_of_them(
    lab: Hands,
) -> None:
    lab.act = Field(**{"1": 1, "2": 2})

    makers = [{"agent": "cast", "model": "m-one"}, {"options": {"temperature": 1}}]
    await lab.report(best_of, goal="write", test=GREEN, candidates=makers, judges=1)

    made = [task for task in lab.tasks if not task.prompt.startswith("Judge")]
    assert sorted((task.model or "", dict(task.options)) for task in made) == [
        ("", {"temperature": 1}),
        ("m-one", {}),
    ]
    assert "m-one" not in lab.prompts[-1]


async def test_red_candidates_get_another_round_and_then_are_out(lab: Hands) -> None:
    class Clumsy(Field):
        def make(self, name: str, prompt: str, folder: Path) -> Any:
            (folder / "broken.txt").write_text("")
            if name == "candidate-1" and "The tests fail:\nbroken" in prompt:
                (folder / "broken.txt").unlink()
            if name == "candidate-3":
                raise BadOptions("no")
            return super().make(name, prompt, folder)

    lab.act = Clumsy()
    found = await lab.report(best_of, goal="write", test=GREEN, max_rounds=2)

    assert found.winner == "candidate-1"
    assert not any(prompt.startswith("Judge") for prompt in lab.prompts)
    assert "candidate-2: The tests fail:\n" in found.markdown
    assert [one.why[:9] for one in found.candidates] == ["", "The tests", "step 'can"]


async def test_where_nothing_is_good_it_fails_and_says_why(lab: Hands) -> None:
    lab.act = lambda _prompt, _folder: "nothing was done"

    outcome = await lab.play(best_of, goal="write", test=GREEN, n=2)

    assert outcome.error is not None
    assert outcome.error.code == "no_candidate"
    assert "none of 2 candidates can be merged" in outcome.error.message
    assert "it changed nothing" in outcome.error.message


async def test_a_tie_goes_to_a_person_who_may_take_none(lab: Hands) -> None:
    lab.act = Field(**{"1": 5, "2": 5})

    await lab.play(best_of, goal="write", test=GREEN, n=2, judges=1)
    lab.answer("none")
    found = told(await lab.go_on(), best_of)

    assert found.winner == ""
    assert found.title == "Nothing is merged"
    assert lab.files() == {"a.txt": "one\n"}


async def test_a_tie_can_go_to_the_shorter_diff(lab: Hands) -> None:
    class Wordy(Field):
        def make(self, name: str, prompt: str, folder: Path) -> Any:
            if name == "candidate-1":
                (folder / "b.txt").write_text("and\nmore\n")
            return super().make(name, prompt, folder)

        def judge(self, prompt: str) -> Any:
            return {"scores": []}  # of no use: all are equal then

    lab.act = Wordy()

    found = await lab.report(best_of, goal="write", test=GREEN, n=2, judges=1, on_tie="smallest")

    assert found.winner == "candidate-2"
    assert "the answer of 1 of 1 judges could not be used" in found.evidence


async def test_what_cannot_be_merged_is_left_with_the_reason(lab: Hands) -> None:
    class Meanwhile(Field):
        def judge(self, prompt: str) -> Any:
            lab.repo.write({"a.txt": "mine\n"})
            return super().judge(prompt)

    lab.act = Meanwhile(**{"1": 5, "2": 6})

    found = await lab.report(best_of, goal="write", test=GREEN, n=2)

    assert found.title == "Nothing is merged"
    assert "uncommitted changes: 'a.txt'" in found.left[0]
    assert lab.files() == {"a.txt": "mine\n"}


async def test_a_crash_while_judging_makes_no_candidate_again(lab: Hands) -> None:
    class Fatal(Field):
        def judge(self, prompt: str) -> Any:
            if not self.orders:
                self.orders.append([])
                raise Crash
            return super().judge(prompt)

    lab.act = Fatal(**{"1": 3, "2": 9})

    assert await lab.dies(lab.play(best_of, goal="write", test=GREEN, n=2, judges=1))
    found = told(await lab.go_on(), best_of)

    assert found.winner == "candidate-2"
    assert lab.files() == {"a.txt": "candidate-2\n"}
    assert lab.done_again() == []
    assert [prompt[:5] for prompt in lab.prompts] == ["write", "write", "Judge", "Judge"]
    assert lab.replays()
