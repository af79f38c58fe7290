"""A tool that explains Holdfast itself: the pages of `holdfast docs`."""

from typing import Annotated, Any

from msgspec import Meta

from holdfast.docs import read_topic, topics

from . import shapes
from .arguments import Characters, Start
from .bounds import text_page
from .desk import Visit
from .tool import Asked, Tool


class Docs(Asked, frozen=True):
    topic: Annotated[str, Meta(description="Such as writing; without one: the list of them.")] = ""
    start: Start = 0
    limit: Characters = 20_000


def docs(visit: Visit, asked: Docs) -> dict[str, Any]:
    """Explain Holdfast: how to write a workflow, approve, go back, set up roles, and what errors mean."""
    if asked.topic:
        text = read_topic(asked.topic)
    else:
        text = "".join(f"{topic.name}: {topic.about}\n" for topic in topics())
    return {"topic": asked.topic, **text_page(text, asked.start, asked.limit)}


TOOLS = [Tool("docs", Docs, shapes.Text, "reads", docs)]
