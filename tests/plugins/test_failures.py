"""Which error a provider's words stand for, and when the limit that they speak of ends."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from holdfast.plugins import Crashed, NotLoggedIn, RateLimited, Refused, WorkError
from holdfast.plugins.agents.failures import kind_of
from holdfast.plugins.agents.resets import reset_time

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("unexpected status 401 Unauthorized: Incorrect API key provided", NotLoggedIn),
        ("Missing environment variable: `OPENAI_API_KEY`.", NotLoggedIn),
        ('401: {"message":"Incorrect API key provided"}', NotLoggedIn),
        ("403 Forbidden", NotLoggedIn),
        ("exceeded retry limit, last status: 429 Too Many Requests", RateLimited),
        ("You've hit your usage limit.", RateLimited),
        ("529 overloaded_error: Overloaded", RateLimited),
        ("Selected model is at capacity.", RateLimited),
        ("RESOURCE_EXHAUSTED", RateLimited),
        ("Quota exceeded. Check your plan and billing details.", Refused),
        ("402 Payment Required", Refused),
        ("The model `gpt-9` does not exist or you do not have access to it.", Refused),
        ("Incomplete response returned, reason: content_filter", Refused),
        ("500: scripted error", Crashed),
        ("exit code 1: cannot read port 14290", Crashed),
        ("stream disconnected before completion", Crashed),
        ("exit code 143: Terminated", Crashed),
    ],
)
def test_words_stand_for_an_error(said: str, kind: type[WorkError]) -> None:
    assert kind_of(said) is kind


def test_the_status_is_believed_before_the_words() -> None:
    assert kind_of("no", 401) is NotLoggedIn
    assert kind_of("no", 429) is RateLimited
    assert kind_of("no", 402) is Refused
    assert kind_of("no", 500) is Crashed


def test_a_quota_that_comes_back_is_waited_for_whatever_it_says_of_billing() -> None:
    said = "You exceeded your current quota, check your plan and billing. Please retry in 39.2s."

    assert kind_of(said, resets=True) is RateLimited


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 20s.", 20),
        ("Please try again in 6m0s.", 360),
        ("Your quota will reset after 1h2m3s.", 3723),
        ("Please retry in 39.2s.", 39),
        ('"retryDelay": "34s"', 34),
        ("Try again in 3 days 4 hours 5 minutes.", 3 * 86400 + 4 * 3600 + 300),
        ("try again in 1 hour, 30 minutes and 5 seconds", 5405),
        ("retry in 1500ms", 1),
        ("retry-after: 30", 30),
        ("Retrying after 2 minutes", 120),
        ("try again at 3:45 PM.", 2700),
        ("try again at 2:00 PM.", 23 * 3600),
        ("try again at Nov 23rd, 2026 3:00 PM.", 86400),
        ("limit resets at 2026-11-22T14:00:00Z", 3600),
        ("timed out after 30s", None),
        ("2020-11-22T14:00:00Z ERROR too many requests", None),
        ("429 Too Many Requests", None),
    ],
)
def test_the_end_of_a_limit_is_read_from_the_words(text: str, seconds: int | None) -> None:
    wanted = 0 if seconds is None else int((NOW + timedelta(seconds=seconds)).timestamp())

    assert reset_time(text, now=NOW) // 10**9 == wanted


def test_the_end_of_a_limit_may_be_a_number() -> None:
    assert reset_time('"resets_at": 1795440000', now=datetime.now(UTC)) == 1795440000 * 10**9
