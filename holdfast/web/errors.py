"""Errors of the HTTP side's own.

HoldfastError
  ExtraMissing      what serves HTTP is not installed
  BadAddress        an address that nobody understands, or that is not this machine's own
  AddressTaken      another process listens there
  TokenUnsafe       the file with the token cannot be trusted
  NotForYou         a call that is refused for who makes it
    ForeignHost     the server was called by a name that is not its own
    ForeignOrigin   a page of another site calls
    TokenMissing    without the token, or with another
    CallerGone      who calls has hung up, so nobody can tell who it is
    CallerHides     who calls was started by a step, and hides of which run
  BadRequest        a call that cannot be read
    NoSuchRoute     nothing is at this path, or takes this method
    NoSuchPage      the debugger has no page there
    BodyTooLarge    more than a call may bring
    BodyNotJson     no JSON object, or not said to be one
    FieldNotJson    what was typed into a form is no JSON
"""

from holdfast.eventlog import HoldfastError

EXTRA = "pip install 'holdfast[web]'"


class ExtraMissing(HoldfastError):
    code = "extra_missing"
    exit_status = 2

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"HTTP needs {missing!r}, which is not installed. Install it with: {EXTRA}; or serve "
            "without --http, and without http in the section [serve] of holdfast.toml"
        )


class BadAddress(HoldfastError):
    code = "bad_address"
    exit_status = 2

    def __init__(self, given: str, problem: str) -> None:
        super().__init__(
            f"HTTP cannot be served at {given!r}: {problem}. Give a port, such as 7463, or an address "
            "of this machine's own, such as 127.0.0.1:7463 or [::1]:7463; from other machines, "
            "tunnel to it with ssh -L"
        )


class AddressTaken(HoldfastError):
    code = "address_taken"

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"HTTP cannot be served at {address!r}: {reason}. Choose another port with --http PORT "
            "(0 takes any that is free), or end who has it"
        )


class TokenUnsafe(HoldfastError):
    code = "token_unsafe"

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"the token in {path!r} cannot be used: {problem}. Remove the file; the next start makes "
            "a new one"
        )


class NotForYou(HoldfastError):
    code = "forbidden"


class ForeignHost(NotForYou):
    code = "foreign_host"

    def __init__(self, host: str, own: str) -> None:
        super().__init__(
            f"this server is not called {host[:100]!r}, so the call may be a trick of a web page. "
            f"Nothing was done. Call it {own}"
        )


class ForeignOrigin(NotForYou):
    code = "foreign_origin"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"pages of {origin[:100]!r} may not call this server. Nothing was done. Call it from "
            "a program, or from a page of its own"
        )


class TokenMissing(NotForYou):
    code = "token_missing"

    def __init__(self, path: str) -> None:
        super().__init__(
            "the call has not this server's token. Nothing was done. Send the header "
            f"'Authorization: Bearer TOKEN', with what is in the file {path!r}"
        )


class CallerGone(NotForYou):
    code = "caller_gone"

    def __init__(self) -> None:
        super().__init__(
            "who asked for this decision has hung up, so that nobody can tell whether it works inside "
            "the run. Nothing was done. Call again, and wait for the answer"
        )


class CallerHides(NotForYou):
    code = "caller_hides"

    def __init__(self) -> None:
        super().__init__(
            "who asks for this decision was started by a step, and hides of which run. Nothing was done. "
            "What runs wait for is for people to decide; see: holdfast inbox"
        )


class BadRequest(HoldfastError):
    code = "bad_request"
    exit_status = 2


class NoSuchRoute(BadRequest):
    code = "no_such_route"

    def __init__(self, method: str, path: str) -> None:
        super().__init__(
            f"there is no {method} {path[:200]!r} here. GET /api/v1/openapi.json lists what there is"
        )


class NoSuchPage(BadRequest):
    code = "no_such_page"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"there is no page {path[:200]!r} here. Begin at the address that was printed at the start; each "
            "start makes another one"
        )


class BodyTooLarge(BadRequest):
    code = "body_too_large"

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"a call brings at most {most_bytes} bytes. Nothing was done. Put what is larger in a file "
            "of the project, and name that"
        )


class BodyNotJson(BadRequest):
    code = "body_not_json"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the call's body cannot be used: {problem}. Nothing was done. Send a JSON object, with the "
            "header 'Content-Type: application/json'"
        )


class FieldNotJson(BadRequest):
    code = "field_not_json"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(
            f"what was typed as {field!r} is no JSON: {problem}. Nothing was done. Write it as JSON: a text "
            'in double quotes, an object as {"name": "value"}'
        )
