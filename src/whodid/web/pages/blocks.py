"""What pages of settings are made of: facts, tables with buttons, forms, texts. One template draws them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from whodid.web.pages.forms import Form


class Button(NamedTuple):
    """What can be done: a link, or with `post` a form of one button. `fields` are sent along."""

    words: str
    address: str
    post: bool = False
    kind: str = ""
    fields: Mapping[str, str] = {}
    label: str = ""


class Item(NamedTuple):
    """A cell: its text, where it leads, what hovering tells, a quiet note, or buttons instead."""

    text: str = ""
    href: str = ""
    title: str = ""
    kind: str = "text"
    note: str = ""
    tag: str = ""
    buttons: Sequence[Button] = ()


class Table(NamedTuple):
    """A list. `heads` are its headings; one that begins with # is of numbers."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Item]]
    empty: str = "Nothing yet."
    note: str = ""
    block: str = "table"


class Facts(NamedTuple):
    """A few numbers or words with names: name, text, and good, warning or bad."""

    rows: Sequence[tuple[str, str, str]]
    title: str = ""
    block: str = "facts"


class Text(NamedTuple):
    """Sentences; `kind` good, warning or bad marks them, `code` is shown as it is."""

    sentences: Sequence[str] = ()
    title: str = ""
    kind: str = ""
    code: str = ""
    block: str = "text"


class Asked(NamedTuple):
    """A form on the page."""

    form: Form
    block: str = "form"


class Doing(NamedTuple):
    """Buttons in a row."""

    buttons: Sequence[Button]
    block: str = "buttons"


Block = Table | Facts | Text | Asked | Doing
