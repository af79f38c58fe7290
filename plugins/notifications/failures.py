"""Why a notification was not delivered."""


class Undelivered(Exception):
    """One try came to nothing. `again` says whether another may help, `after_s` how soon at the earliest."""

    def __init__(self, why: str, *, again: bool, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.again, self.after_s = again, after_s
