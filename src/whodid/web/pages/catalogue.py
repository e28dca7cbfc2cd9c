"""The pages and their tiles, as rows. A tile is a report in a form; a page is a row of tiles."""

from __future__ import annotations

from typing import Final

from whodid.web.pages.rows import Page, Tile

PAGES: Final[tuple[Page, ...]] = (
    Page(
        "overview",
        "/",
        "Overview",
        (
            Tile("numbers", "overview", "numbers", "whole", 1, title="How much is going on"),
            Tile("types", "types", size="half", title="What they do", columns=("type", "events", "people", "errors")),
            Tile(
                "people",
                "users",
                size="half",
                title="Who is most active",
                columns=("person", "events", "active_days", "last"),
            ),
            Tile(
                "errors",
                "errors",
                size="whole",
                title="Which errors there are",
                columns=("message", "errors", "people", "first", "last"),
            ),
        ),
    ),
    Page(
        "users",
        "/users",
        "Users",
        (Tile("people", "users", size="whole", height=4),),
    ),
    Page(
        "functions",
        "/functions",
        "Functions",
        (Tile("functions", "functions", size="whole", height=4),),
    ),
    Page(
        "errors",
        "/errors",
        "Errors",
        (Tile("groups", "errors", size="whole", height=4),),
    ),
)
_BY_NAME: Final = {page.name: page for page in PAGES}


def page_of(name: str) -> Page | None:
    """The page of this name."""
    return _BY_NAME.get(name)
