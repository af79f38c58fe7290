"""One call of a tool, put together from what an agent tells of it piece by piece."""

from typing import Any, cast

from ..cli import Json, part, parts


class Call:
    """A call as far as it has been told; `allowed` when the agent asked for it and may go on."""

    def __init__(self) -> None:
        self.told: Json = {}
        self._pieces: list[str] = []
        self.shown = self.ended = self.allowed = False

    def take(self, update: Json) -> None:
        self.told |= {name: value for name, value in update.items() if value is not None}
        piece = part(part(update, "_meta"), "terminal_output_delta").get("data")
        if isinstance(piece, str):
            self._pieces.append(piece)

    @property
    def kind(self) -> str:
        return str(self.told.get("kind") or "other")

    @property
    def name(self) -> str:
        meta = part(self.told, "_meta")
        named = self.told.get("name") or meta.get("toolName")
        for each in meta.values():
            named = named or (isinstance(each, dict) and cast(Json, each).get("toolName"))
        return str(named or self.told.get("title") or self.kind)

    @property
    def given(self) -> Any:
        return self.told.get("rawInput") or {"title": self.told.get("title", "")}

    @property
    def is_ready(self) -> bool:
        """Whether it is known what the tool is asked to do."""
        return bool(self.told.get("rawInput")) or bool(self.paths and self.status != "pending")

    @property
    def status(self) -> str:
        return str(self.told.get("status") or "pending")

    @property
    def paths(self) -> list[str]:
        """The files that it is about."""
        told = [*parts(self.told, "content"), *parts(self.told, "locations")]
        found = [str(each["path"]) for each in told if isinstance(each.get("path"), str)]
        return list(dict.fromkeys(found))

    @property
    def answer(self) -> str:
        """What the tool said; some tell it piece by piece, as the terminal that they do not have."""
        contents = (part(each, "content") for each in parts(self.told, "content"))
        texts = [str(each["text"]) for each in contents if "text" in each]
        return "".join(self._pieces) or "\n".join(texts) or _text(self.told.get("rawOutput"))


def _text(output: Any) -> str:
    match output:
        case None | {}:
            return ""
        case str(text):
            return text
        case {}:
            said = cast(Json, output)
            names = (
                "output",
                "formatted_output",
                "aggregated_output",
                "stdout",
                "content",
                "error",
            )
            return next((said[n] for n in names if isinstance(said.get(n), str)), str(said))
        case _:
            return str(output)
