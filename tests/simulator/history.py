"""One history: a program is executed by processes that die, compete and find the disk full, to its end."""

import trio

from holdfast.errors import RunBusy, RunEnded, RunReplaced
from holdfast.eventlog import Budget, LogUnwritable, RunExists
from holdfast.limits import Limits
from holdfast.reducer import ENDED
from tests.simulator.generic import PRICE, generic
from tests.simulator.people import People
from tests.simulator.process import Disk, Process
from tests.simulator.programs import Program, nodes
from tests.simulator.world import Life, World, Wrong, runs_of

LONGEST_S = 1_000_000  # of virtual time
MOST_ROUNDS = 200
PATIENCE = 6  # rounds in which nothing happens and time passes


class History:
    """The life of one run and its children in a world, from nothing to its end."""

    def __init__(
        self, world: World, program: Program, run: str, payable: int = 0, rounds: int = 1
    ) -> None:
        self.world, self.run = world, run
        self.input = {"label": run, "program": program, "rounds": rounds}
        self.budget = Budget(payable * PRICE, each_usd=PRICE) if payable else None
        signals = [node[1] for node in nodes(program) if node[0] == "wait"]
        self.people = People(world, run, signals)
        self.disk = Disk()

    async def play(self) -> None:
        """Play it: a stormy part where the world is not calm, then a calm one to the end."""
        with trio.move_on_after(LONGEST_S) as guard:
            if not self.world.calm:
                await self._storm()
            self.world.calm = True
            self.disk.broken_for = 0
            for run in list(runs_of(self.world, self.run)) or [self.run]:
                await self._finish(run)
            for run in runs_of(self.world, self.run):  # also those that came into being meanwhile
                await self._finish(run)
        if guard.cancelled_caught:
            self.world.blame("it is stuck: everybody waits and nobody acts")

    # --- the storm -----------------------------------------------------------------------------

    async def _storm(self) -> None:
        chance = self.world.chance
        for _ in range(chance.randint(1, 6)):
            if self._has_ended(self.run):
                return
            await self._phase()
            for _ in range(chance.choice([0, 0, 1, 3])):
                self.people.act()
            await trio.sleep(chance.choice([0, 0, 1, 100, 6000]))

    async def _phase(self) -> None:
        """Let one process or several live at once, with people around."""
        chance, mood = self.world.chance, self.people.mood
        async with trio.open_nursery() as around:
            if chance.random() < 0.7:
                around.start_soon(self.people.live)
            async with trio.open_nursery() as processes:
                processes.start_soon(self._live, self._life(), 0)
                while chance.random() < mood.competes:
                    life = self._life(takeover=chance.random() < 0.7)
                    processes.start_soon(self._live, life, chance.choice([0, 0.1, 1, 5, 30]))
            around.cancel_scope.cancel()

    def _life(self, *, takeover: bool = False) -> Life:
        chance, mood = self.world.chance, self.people.mood
        kill_at = (
            chance.randint(1, chance.choice([8, 30, 100])) if chance.random() < mood.kills else 0
        )
        interrupt_at = chance.randint(1, 60) if chance.random() < mood.interrupts else 0
        return Life(self.world, kill_at=kill_at, interrupt_at=interrupt_at, takeover=takeover)

    # --- the calm ------------------------------------------------------------------------------

    async def _finish(self, run: str) -> None:
        idle = 0
        waited: tuple[str, ...] = ()
        for _ in range(MOST_ROUNDS):
            if self._has_ended(run):
                return
            await self._live(Life(self.world), 0, run)
            if self._has_ended(run):
                return
            if self.people.act_on_all():
                idle = 0
                continue
            waiting = self.world.state(run).waiting  # another timer is news as well
            idle, waited = 0 if waiting != waited else idle + 1, waiting
            if idle > PATIENCE:
                break
            await trio.sleep(6000)
        state = self.world.state(run)
        self.world.blame(f"{run} is stuck: {state.status}, waiting for {state.waiting}")

    def _has_ended(self, run: str) -> bool:
        rows = {row.run: row for row in self.world.log.runs()}
        return run in rows and rows[run].status in ENDED

    # --- a process -----------------------------------------------------------------------------

    async def _live(self, life: Life, delay_s: float, run: str = "") -> None:
        await trio.sleep(delay_s)
        life.enter()
        chance = self.world.chance
        limits = Limits(steps=chance.choice([1, 2, 3, 9]), agent=chance.choice([1, 2]))
        try:
            with life.scope:
                await self._execute(life, limits, run or self.run)
        except BaseException as error:  # noqa: BLE001 - judged, and raised where it is wrong
            self._judge(life, error)
        finally:
            life.alive = False
            life.ended = self.world.operations

    async def _execute(self, life: Life, limits: Limits, run: str) -> None:
        process = Process(life, self.people, self.disk, limits=limits)
        try:
            async with process:
                life.owner, life.alive = process.owner, True
                life.began = self.world.operations
                life.note(f"is born and executes {run}{' (takeover)' if life.takeover else ''}")
                status = await process.live(generic, run, self.input, self.budget)
                life.note(f"ends; {run} is {status}")
        finally:
            if not life.dead:
                process.check_nothing_leaked()

    def _judge(self, life: Life, error: BaseException) -> None:
        """Take as normal what may happen to a process in such a world, and blame it for the rest."""
        errors = list(_leaves(error))
        if any(isinstance(each, Wrong) for each in errors):
            raise error
        if life.dead:
            return
        if any(isinstance(each, trio.Cancelled) for each in errors):
            raise error
        life.note(f"ends: {errors!r}")
        others = [
            other
            for other in self.world.lives
            if other is not life and (other.alive or other.ended >= life.began)
        ]
        for each in errors:
            match each:
                case RunBusy() | RunReplaced() | RunEnded() | RunExists() if others:
                    pass
                case LogUnwritable() if life.disk_failed:
                    pass
                case _:
                    self.world.blame(f"{life.name} raised {each!r}")


def _leaves(error: BaseException) -> "list[BaseException]":
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
