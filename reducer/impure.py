"""What a workflow body may not call, and what to write instead: the table behind `check`."""

from collections.abc import Mapping

import msgspec


class Rule(msgspec.Struct, frozen=True):
    """Why a name is not for workflow bodies. `reads` tells values that are impure without a call."""

    code: str
    does: str
    instead: str
    reads: bool = False
    pure_from: int = 0  # with this many arguments or more a call is deterministic after all
    note: bool = False


CLOCK = Rule("clock", "reads the clock", "run.now()")
RANDOM = Rule("random", "is random", "run.random()")
UUID = Rule("random", "is random", "run.uuid()")
SLEEP = Rule("sleep", "sleeps outside the log", "await run.sleep(duration)")
FILE = Rule("file", "touches files", "await run.step(name, function) or await run.shell(...)")
NETWORK = Rule("network", "uses the network", "await run.step(name, function)")
MODEL = Rule("network", "calls a model unrecorded", "await run.model(name, prompt, model=...)")
PROCESS = Rule("process", "starts or steers a process", "await run.shell(name, command)")
ENVIRONMENT = Rule(
    "environment",
    "depends on the machine",
    "an input of the workflow, or await run.step(name, function)",
    reads=True,
)
TASK = Rule("task", "is scheduled outside the log", "run.parallel(...), run.map(...) or run.race()")
TIMEOUT = Rule("task", "watches a clock outside the log", "timeout= of the step, or run.race(...)")
ASK = Rule("input", "reads from the terminal", "await run.ask(name, question)")
PRINT = Rule("print", "prints again on every replay", "run.note(text)", note=True)
IDENTITY = Rule("identity", "differs from process to process", "a value of the data, as a key")


def _rules() -> dict[str, Rule | None]:
    table: dict[str, Rule | None] = {}

    def put(rule: Rule | None, names: str, module: str = "") -> None:
        table.update({f"{module}.{name}" if module else name: rule for name in names.split()})

    put(CLOCK, "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns", "time")
    put(CLOCK, "process_time process_time_ns thread_time thread_time_ns clock_gettime", "time")
    put(CLOCK, "datetime.now datetime.utcnow datetime.today date.today", "datetime")
    put(msgspec.structs.replace(CLOCK, pure_from=1), "localtime gmtime ctime asctime", "time")
    put(msgspec.structs.replace(CLOCK, pure_from=2), "strftime", "time")
    put(RANDOM, "random secrets numpy.random os.urandom os.getrandom")
    put(msgspec.structs.replace(RANDOM, pure_from=1), "random.Random numpy.random.default_rng")
    put(UUID, "uuid1 uuid4 uuid6 uuid7 getnode", "uuid")
    put(SLEEP, "time.sleep trio.sleep trio.sleep_until trio.sleep_forever")
    put(SLEEP, "asyncio.sleep anyio.sleep anyio.sleep_until anyio.sleep_forever")

    put(FILE, "os shutil tempfile glob fileinput sqlite3 dbm shelve")
    put(FILE, "builtins.open io.open codecs.open pathlib.Path.cwd pathlib.Path.home")
    put(FILE, "trio.open_file trio.Path anyio.open_file anyio.Path")
    put(None, "path fspath fsencode fsdecode PathLike name sep altsep linesep pathsep", "os")
    put(None, "curdir pardir extsep devnull", "os")
    put(FILE, "exists lexists isfile isdir islink ismount getsize getmtime getatime", "os.path")
    put(FILE, "getctime realpath abspath expanduser samefile", "os.path")

    put(NETWORK, "requests httpx aiohttp socket ssl urllib.request urllib3 http.client ftplib")
    put(NETWORK, "smtplib imaplib poplib xmlrpc.client websockets paramiko boto3 grpc redis")
    put(NETWORK, "psycopg psycopg2 pymongo sqlalchemy.create_engine socketserver http.server")
    put(MODEL, "litellm openai anthropic")

    put(PROCESS, "subprocess multiprocessing pty signal trio.run_process anyio.run_process")
    put(
        PROCESS, "anyio.open_process asyncio.create_subprocess_exec asyncio.create_subprocess_shell"
    )
    put(PROCESS, "system popen fork forkpty kill killpg wait waitpid abort", "os")
    put(PROCESS, "execv execve execvp execvpe execl execle execlp execlpe", "os")
    put(PROCESS, "spawnv spawnve spawnvp spawnl spawnle spawnlp posix_spawn posix_spawnp", "os")
    put(PROCESS, "exit _exit", "os")

    put(ENVIRONMENT, "os.environ os.environb os.getenv os.getenvb sys.argv sys.stdin")
    put(ENVIRONMENT, "os.getcwd os.getcwdb os.getpid os.getppid os.getlogin os.getuid os.cpu_count")
    put(ENVIRONMENT, "os.uname socket.gethostname sys.platform sys.version sys.version_info")
    put(ENVIRONMENT, "platform getpass locale.getlocale")

    put(TASK, "trio asyncio anyio threading concurrent.futures queue")
    put(TIMEOUT, "trio.fail_after trio.fail_at trio.move_on_after trio.move_on_at trio.CancelScope")
    put(TIMEOUT, "anyio.fail_after anyio.move_on_after anyio.CancelScope")
    put(TIMEOUT, "asyncio.timeout asyncio.timeout_at asyncio.wait_for")
    put(CLOCK, "trio.current_time anyio.current_time")

    put(ASK, "builtins.input")
    put(PRINT, "builtins.print rich.print")
    put(IDENTITY, "builtins.hash builtins.id")
    return table


RULES: Mapping[str, Rule | None] = _rules()

HARMLESS_ENDINGS = ("Error", "Exception", "Warning", "Expired", "Cancelled", "Exceeded")

# Methods of pathlib.Path that touch the disk; all the others only compute.
PATH_CONTENT = {"read_text", "read_bytes", "write_text", "write_bytes", "open", "touch"}
PATH_FACTS = {"exists", "is_file", "is_dir", "is_symlink", "is_mount", "stat", "lstat", "samefile"}
PATH_CHANGES = {"mkdir", "rmdir", "unlink", "rename", "replace", "chmod", "copy", "move"}
PATH_LISTS = {"iterdir", "glob", "rglob", "walk", "owner", "group", "readlink"}
PATH_PLACES = {"resolve", "absolute", "expanduser", "symlink_to", "hardlink_to"}
PATH_METHODS = PATH_CONTENT | PATH_FACTS | PATH_CHANGES | PATH_LISTS | PATH_PLACES


def rule_for(name: str) -> Rule | None:
    """Return the rule of the longest dotted prefix that has one."""
    if name.endswith(HARMLESS_ENDINGS):
        return None  # exception classes are named in `except` and `raise`
    prefix = name
    while prefix:
        if prefix in RULES:
            return RULES[prefix]
        prefix = prefix.rpartition(".")[0]
    return None


def is_function(name: str) -> bool:
    """Tell whether a dotted name is likely a function: no module, class or constant."""
    module, _, last = name.rpartition(".")
    return last.islower() and (module in RULES or (bool(module) and name in RULES))
