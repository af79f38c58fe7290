"""What people see of an agent's journal: live, in the log, and of a step that was cut short."""

from holdfast.eventlog import Journaled
from tests.support.counting import CALLS
from tests.support.site import Site, until


def test_every_call_is_told_while_it_happens_and_in_the_log(site: Site) -> None:
    ran = site.call("run", "work.py:work", "--id", "r")
    log = site.call("log", "r").out
    watched = site.call("watch", "r").err
    shown = site.call("show", "r", "--json").json

    assert ran.status == 0, ran
    assert "[shell] echo tool 0" in ran.err
    assert ran.err.count("echo tool 3") == 1, "not also as an event"
    assert log.count("step.journaled") == 2 + CALLS * 3
    assert "[shell] echo tool 9 >> $SIDE; sleep 0.02; echo 9: exit status 0 9" in watched
    assert shown["steps"][0]["journal"] == 2 + CALLS * 3
    assert shown["steps"][0]["result"] == "counted"


def test_of_a_step_that_was_cut_short_the_last_entry_is_shown(site: Site) -> None:
    process = site.start("run", "work.py:work", "--id", "r")
    until(lambda: len(site.lines()) > 6, "some calls")
    process.kill()

    shown = site.call("show", "r").out
    last = site.events("r", Journaled)[-1]

    assert f"code: {len(site.events('r', Journaled))} journal entries" in shown
    assert last.text[:20] in shown
