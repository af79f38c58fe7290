"""What to write instead of an impure call, with the arguments that stand there already. Pure."""

import ast

LONGEST = 70


def instead_of(name: str, call: ast.Call) -> str:
    """Return the durable call that does what this one does; empty where only the rule can say it."""
    arguments = [shortened(one) for one in call.args if not isinstance(one, ast.Starred)]
    first = arguments[0] if arguments else ""
    module, _, function = name.rpartition(".")
    if function in ("sleep", "sleep_until") and first:
        return f"await run.{function}({first})"
    if name in ("asyncio.gather", "trio.gather"):
        return f"await run.parallel({', '.join(map(shortened, call.args))})"
    if name in ("builtins.open", "io.open") and first:
        return f'await run.step("read", Path({first}).read_text)'
    if (
        module == "subprocess"
        and first
        and function in ("run", "call", "check_output", "check_call")
    ):
        return f'await run.shell("{_word(call.args[0])}", {first})'
    if name in ("os.system", "os.popen") and first:
        return f'await run.shell("{_word(call.args[0])}", {first})'
    if name == "builtins.input":
        return f'await run.ask("answer", {first or chr(34) * 2})'
    if name == "builtins.print" and first:
        return f"await run.note({first})"
    if module in ("requests", "httpx") and first:
        return f'await run.step("fetch", {name}, {first})'
    return ""


def _word(command: ast.expr) -> str:
    """Return the program that a command begins with, as a name for the step."""
    match command:
        case ast.List(elts=[ast.Constant(value=str(program)), *_]):
            word = program
        case ast.Constant(value=str(line)):
            word = line.split()[0] if line.split() else ""
        case _:
            word = ""
    word = word.rpartition("/")[2]
    return word if word.isidentifier() else "command"


def shortened(node: ast.expr) -> str:
    """Return an expression as a short text."""
    text = ast.unparse(node)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
