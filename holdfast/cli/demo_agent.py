"""A scripted stand-in for a coding agent, for `holdfast demo`: it reads a prompt and edits files.

It is copied into the demo's folder and knows nothing of Holdfast. Like a real agent it needs three
tries: its first edit is half right, and the reviewer wants a docstring.
"""

import json
import sys
import time
from pathlib import Path

FILE = Path("slugs.py")
HALF = """def slugify(title):
    return title.lower().replace(" ", "-")
"""
FULL = """import re


def slugify(title):
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
"""
DOCUMENTED = '''import re


def slugify(title):
    """Return the title as a part of a URL: small letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
'''


def say(line: str) -> None:
    print(line, flush=True)
    time.sleep(0.3)


def work(prompt: str) -> None:
    if "reviewer asks" in prompt:
        say("The reviewer wants a docstring: adding it.")
        FILE.write_text(DOCUMENTED)
        say("Documented slugify.")
    elif "tests fail" in prompt:
        say("Reading the failing test: punctuation has to go as well.")
        FILE.write_text(FULL)
        say("Rewrote slugify with a regular expression.")
    else:
        say("Reading slugs.py and its tests.")
        FILE.write_text(HALF)
        say("Made slugify join words with hyphens.")


def review() -> None:
    time.sleep(0.3)
    if '"""' in FILE.read_text():
        answer = {"approved": True, "comments": ["Small and clear."]}
    else:
        answer = {"approved": False, "comments": ["slugify needs a docstring."]}
    say(json.dumps(answer))


def main() -> None:
    prompt = sys.stdin.read()
    if prompt.startswith("Review"):
        review()
    else:
        work(prompt)


if __name__ == "__main__":
    main()
