"""A workflow whose agent counts by calling tools, and the plugin with the model that wants them."""

CALLS = 10
FLOW = """
    from holdfast import Run, workflow

    @workflow
    async def work(run: Run) -> str:
        return await run.agent("code", "count", agent="builtin", model="slow/counter")
"""
# Each answer and each call leaves a line before it is known to anybody.
PLUGIN = """
    import json
    import os

    import trio

    from holdfast.plugins import ModelResult, Readiness, ToolCall, hookimpl

    class Counter:
        async def call(self, call, emit):
            number = sum(message.role == "assistant" for message in call.messages)
            side = os.open(os.environ["SIDE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.write(side, f"model {number}\\n".encode())
            os.close(side)
            await trio.sleep(0.02)
            if number == CALLS:
                return ModelResult(text="counted")
            command = f"echo tool {number} >> $SIDE; sleep 0.02; echo {number}"
            made = ToolCall(f"c{number}", "shell", json.dumps({"command": command}))
            return ModelResult(text="", calls=[made], stop="calls")

        def readiness(self):
            return Readiness(True, "always")

    @hookimpl
    def holdfast_models():
        return {"slow/": Counter()}
""".replace("CALLS", str(CALLS))
