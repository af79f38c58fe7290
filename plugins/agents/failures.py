"""Which error the words of a failed run stand for: harnesses pass on what their provider said."""

import re

from ..errors import Crashed, NotLoggedIn, RateLimited, Refused, WorkError

_PREFIX = r"(?:^|\b(?:status(?: code)?|http|code|error|exit)\W{1,4}|[(:\[]\s?)"
_BILLING = re.compile(
    r"insufficient[ _](?:quota|credits?|balance|funds)|billing|payment required|credit balance"
    rf"|{_PREFIX}402\b",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"rate.?limit|too many requests|quota|usage limit|hit your limit|overloaded|at capacity"
    rf"|resource.?exhausted|{_PREFIX}(?:429|529)\b",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"unauthori[sz]ed|unauthenticated|authenticat|autherror|not logged in|(?:log|sign) ?in\b|forbidden"
    r"|(?:incorrect|invalid|missing|no|expired) api[ _-]?key|api[ _-]?key (?:is )?(?:not|invalid|missing)"
    rf"|missing environment variable|credentials|{_PREFIX}40[13]\b",
    re.IGNORECASE,
)
_DECLINED = re.compile(
    r"content.?(?:filter|policy|management)|refus(?:al|ed to answer)|safety|prohibited"
    r"|model\b.{0,80}(?:not (?:found|exist|supported|available)|does not exist|unknown|invalid)"
    r"|(?:unknown|invalid|unsupported|no such) model|model.?not.?found",
    re.IGNORECASE,
)


def kind_of(said: str, status: int | None = None, *, resets: bool = False) -> type[WorkError]:
    """Return the error for what was said; `resets` when it names a time at which a limit ends."""
    if status == 402 or (_BILLING.search(said) and not resets):
        return Refused  # waiting does not pay the bill
    if status in (429, 529) or _BUSY.search(said):
        return RateLimited
    if status in (401, 403) or _LOGIN.search(said):
        return NotLoggedIn
    if _DECLINED.search(said):
        return Refused
    return Crashed
