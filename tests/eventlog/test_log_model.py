"""The log beside a model of it in plain Python: whatever is done to both, they agree."""

import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.eventlog import Batch, BranchMoved, Log, Noted, pack, verify

sizes = st.lists(st.sampled_from([0, 3, 900, 1100, 5000]), max_size=4)


class LogAndModel(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.log = Log.open(self.folder / "log", map_size=256 << 10)
        self.model: dict[int, list[str]] = {}
        self.written = 0

    def teardown(self) -> None:
        self.log.close()
        shutil.rmtree(self.folder)

    def events(self, sizes: list[int]) -> tuple[list[Noted], dict[bytes, bytes], list[str]]:
        blobs: dict[bytes, bytes] = {}
        texts = [f"{self.written + n}:" + "x" * size for n, size in enumerate(sizes)]
        events = [Noted("n", "", pack(msgspec.msgpack.encode(text), blobs)) for text in texts]
        return events, blobs, texts

    @rule(sizes=sizes)
    def create(self, sizes: list[int]) -> None:
        events, blobs, texts = self.events(sizes)
        run = f"run-{len(self.model)}"
        branch = self.log.create_run(run, events, actor="a", time=1, blobs=blobs)
        assert self.log.branch_of(run) == branch
        self.model[branch] = texts
        self.written += len(texts)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), sizes=sizes)
    def fork(self, data: st.DataObject, sizes: list[int]) -> None:
        parent = data.draw(st.sampled_from(sorted(self.model)))
        offset = data.draw(st.integers(0, len(self.model[parent])))
        events, blobs, texts = self.events(sizes)
        run = f"run-{len(self.model)}"
        branch = self.log.create_run(
            run, events, actor="a", time=1, blobs=blobs, parent=parent, offset=offset
        )
        self.model[branch] = self.model[parent][:offset] + texts
        self.written += len(texts)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), plan=st.lists(st.tuples(sizes, st.sampled_from([0, 0, 0, -1, 1]))))
    def write(self, data: st.DataObject, plan: list[tuple[list[int], int]]) -> None:
        batches: list[Batch] = []
        expected: list[int] = []
        for sizes, error in plan:
            branch = data.draw(st.sampled_from(sorted(self.model)))
            events, blobs, texts = self.events(sizes)
            head = len(self.model[branch])
            batches.append(Batch(branch, events, max(0, head + error), "a", 1, blobs))
            if batches[-1].expected == head:
                self.model[branch] += texts
                self.written += len(texts)
                expected.append(len(self.model[branch]))
            else:
                expected.append(-1)

        results = self.log.write(batches)

        assert [-1 if isinstance(r, BranchMoved) else r for r in results] == expected

    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.log = Log.open(self.folder / "log", map_size=256 << 10)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def read_a_part(self, data: st.DataObject) -> None:
        branch = data.draw(st.sampled_from(sorted(self.model)))
        start, stop = data.draw(st.integers(0, 12)), data.draw(st.integers(0, 12))
        assert self.read(branch, start, stop) == self.model[branch][start:stop]

    def read(self, branch: int, start: int = 0, stop: int | None = None) -> list[str]:
        values = [
            r.event.data
            for r in self.log.records(branch, start, stop)
            if isinstance(r.event, Noted)
        ]
        return [msgspec.msgpack.decode(self.log.load(value), type=str) for value in values]

    @invariant()
    def they_agree(self) -> None:
        assert {branch: self.read(branch) for branch in self.model} == self.model
        assert self.log.size() == self.written
        assert [row.head for row in self.log.runs()] == [
            len(self.model[branch]) for branch in sorted(self.model, reverse=True)
        ]
        verdict = verify(self.log)
        assert verdict.ok
        assert verdict.root == self.log.root()


TestLogAndModel = LogAndModel.TestCase
TestLogAndModel.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
