"""The arguments that several tools take, with what is told of each to whoever calls."""

from typing import Annotated, Any

from msgspec import Meta

Run = Annotated[str, Meta(description="The run's id; RUN@BRANCH for a history it has left.")]
Start = Annotated[
    int, Meta(ge=0, description="Where the page begins: the `next` of the one before.")
]
Limit = Annotated[
    int, Meta(ge=1, le=100, description="The most items; fewer come if they are large.")
]
Characters = Annotated[int, Meta(ge=1, le=20_000, description="The most characters of text.")]
Frame = Annotated[int | None, Meta(description="As it was after this many events; by default now.")]
Resume = Annotated[
    bool, Meta(description="Let a background process go on with the run if none executes it.")
]
Object = dict[str, Any]
