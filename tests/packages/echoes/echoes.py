"""A model back end of a stranger: it says again what it was asked, and counts the words."""

from collections.abc import Mapping

from holdfast.plugins import Emit, Model, ModelCall, ModelResult, Progress, Readiness, hookimpl
from holdfast.plugins import Usage as Words


class Echo:
    """Models by the name of echo/...; a JSON Schema gets the object {"said": ...}."""

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        said = call.messages[-1].content
        emit(Progress("text", said))
        count = len(said.split())
        data = {"said": said} if call.schema else None
        return ModelResult(text=said, output=data, usage=Words(count, count, cost_usd=0.25))

    def readiness(self) -> Readiness:
        return Readiness(True, "echoes anywhere")


@hookimpl
def holdfast_models() -> Mapping[str, Model]:
    return {"echo/": Echo()}
