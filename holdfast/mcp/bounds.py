"""Keeping answers small: what an agent reads costs it, and clients refuse what is too long. Pure.

A value that is too large is shortened from within, and the answer names the places. What comes in pages
is never shortened so: there, less of it comes, and `next` says where to go on.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

import msgspec

from holdfast.cli.values import encoded

ANSWER_BYTES = 40_000
PAGE_BYTES = 24_000
ITEM_BYTES = 4_000
WIDEST = 64  # fields of one object


class _Level(NamedTuple):
    """How much is kept: characters of a text, items of a list, and levels of nesting."""

    characters: int
    items: int
    depth: int


_LEVELS = (
    _Level(2000, 50, 12),
    _Level(600, 20, 8),
    _Level(200, 8, 6),
    _Level(60, 3, 5),
    _Level(16, 1, 3),
)


def plain(value: object) -> Any:
    """Return a value as what JSON can say."""
    return msgspec.json.decode(encoded(value))


def shortened(value: Any, most_bytes: int) -> tuple[Any, list[str]]:
    """Return plain data in at most about so many bytes of JSON, and the paths of what was cut."""
    cut: list[str] = []
    kept = value
    for level in _LEVELS:
        if len(encoded(kept)) <= most_bytes:
            break
        cut = []
        kept = _cut(value, level, 0, "", cut)
    return kept, cut


def _cut(value: Any, level: _Level, depth: int, path: str, cut: list[str]) -> Any:
    if isinstance(value, str):
        return _text(value, level.characters, path, cut)
    if isinstance(value, list | dict) and depth > level.depth:
        return _text(encoded(value).decode(), level.characters, path, cut)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return _cut_fields(cast(dict[object, Any], value), level, depth, path, cut)
    if isinstance(value, list | tuple):
        return _cut_items(cast(list[Any], value), level, depth, path, cut)
    return value


def _cut_items(items: list[Any], level: _Level, depth: int, path: str, cut: list[str]) -> list[Any]:
    if len(items) > level.items:
        cut.append(path)
    return [
        _cut(item, level, depth + 1, f"{path}[{place}]", cut)
        for place, item in enumerate(items[: level.items])
    ]


def _cut_fields(
    fields: dict[object, Any], level: _Level, depth: int, path: str, cut: list[str]
) -> dict[str, Any]:
    if len(fields) > WIDEST:
        cut.append(path)
    return {
        str(name)[: level.characters * 4]: _cut(
            item, level, depth + 1, _below(path, str(name)), cut
        )
        for name, item in islice(fields.items(), WIDEST)
    }


def _below(path: str, name: str) -> str:
    return f"{path}.{name[:40]}" if path else name[:40]


def _text(text: str, most: int, path: str, cut: list[str]) -> str:
    if len(text) <= most:
        return text
    cut.append(path)
    return f"{text[:most]}... ({len(text) - most} characters more)"


class Page(NamedTuple):
    """Some of many: `next` is where the rest begins, None where there is no more."""

    items: list[Any]
    next: int | None
    cut: list[str]


def page(items: Iterable[object], start: int, limit: int) -> Page:
    """Take items that begin at `start` until `limit`, or until there is enough to read; at least one."""
    found: list[Any] = []
    cut: list[str] = []
    size = 0
    for item in items:
        kept, places = shortened(plain(item), ITEM_BYTES)
        size += len(encoded(kept))
        if len(found) == limit or (found and size > PAGE_BYTES):
            return Page(found, start + len(found), cut)
        cut += [f"items[{len(found)}].{place}" for place in places]
        found.append(kept)
    return Page(found, None, cut)


def page_of(items: Sequence[object], start: int, limit: int) -> dict[str, Any]:
    """Return what an answer has of a list that is all there: items, next, total."""
    return {**page(items[start:], start, limit)._asdict(), "total": len(items)}


def text_page(text: str, start: int, limit: int) -> dict[str, Any]:
    """Return a piece of a text, at most `limit` characters and what an answer has room for."""
    piece = text[start : start + limit]
    while len(encoded(piece)) > PAGE_BYTES:
        piece = piece[: len(piece) * 2 // 3]
    end = start + len(piece)
    return {"text": piece, "next": end if end < len(text) else None, "total": len(text)}


def bounded(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer that is small enough: what is paged as it is, the rest shortened."""
    paged = {name: plain(answer[name]) for name in ("items", "text") if name in answer}
    rest, cut = shortened(
        plain({name: value for name, value in answer.items() if name not in ("items", "text", "cut")}),
        ANSWER_BYTES - len(encoded(paged)),
    )  # fmt: skip
    shown = [*answer.get("cut", []), *cut]
    return {**rest, **paged, "cut": shown[:20]}
