"""The files that every new plugin has. `$$name` and its like are filled in by `write`."""

from collections.abc import Mapping

Files = Mapping[str, str]

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "$distribution"
version = "0.1.0"
description = "$name for Holdfast"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["holdfast"]

[project.optional-dependencies]
test = ["pytest>=8", "mypy>=1.15"]

# This is how Holdfast finds it: any module with hooks, under a name of your choice.
[project.entry-points.holdfast]
$name = "$package.plugin"

[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
$package = ["py.typed"]

[tool.pytest.ini_options]
testpaths = ["tests"]

[tool.mypy]
strict = true
files = ["src", "tests"]
"""

PLUGIN_FILES: Files = {
    "pyproject.toml": PYPROJECT,
    ".gitignore": "__pycache__/\n*.egg-info/\nbuild/\ndist/\n.venv/\n",
    "src/$package/__init__.py": '"""$name for Holdfast."""\n',
    "src/$package/py.typed": "",
}

COMMANDS = """\
```sh
pip install -e '.[test]'   # into the environment that Holdfast is installed in
pytest                     # your tests, and one for each rule that Holdfast relies on
mypy
holdfast plugins           # lists it, with what it offers, or with what is wrong
```
"""
