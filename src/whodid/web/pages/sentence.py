"""What a page or a table shows, told in one sentence above it."""

from __future__ import annotations

from markupsafe import Markup

from whodid.reading.sight import Sight
from whodid.web import words
from whodid.web.pages.choice import Choice
from whodid.web.pages.spans import day_words


def sentence(choice: Choice, sight: Sight, about: str = "") -> Markup:
    """What is shown to whom sees so much, in words of a page; `about` is whom or what the page is about."""
    span = choice.span()
    parts = [
        Markup("{} {} {}").format(chip.field.label.lower(), "is not" if chip.negated else "is", _alone(chip.value))
        for chip in choice.chips()
    ]
    where = Markup(", ").join(parts)
    whom = _alone(about) if about else Markup("")
    if sight.is_limited:
        who = Markup("What you may see{}{}").format(
            Markup(" of {}").format(whom) if about else "", Markup(" where {}").format(where) if parts else ""
        )
    elif about and parts:
        who = Markup("{}, where {}").format(whom, where)
    else:
        who = Markup("Where {}").format(where) if parts else whom or Markup("Everyone")
    return Markup("{}, {}, times in {}").format(who, day_words(span.since, span.until, choice.zone), choice.zone)


def _alone(value: str) -> Markup:
    """A value that does not turn round the words beside it, whichever way it is written."""
    return Markup("<bdi>{}</bdi>").format(words.plain(value))
