"""What every page has to be in a browser: accessible, and no wider than the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1400, "height": 900}
LAPTOP = {"width": 1280, "height": 800}


def accessible(page: Page) -> None:
    """No violation that axe-core knows of."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    told = [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]
    assert not told, told


def fits(page: Page) -> None:
    """Nothing but tables is wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), "the page scrolls sideways"


def unclipped(page: Page) -> None:
    """On a desk no table is wider than its tile, and no number or label is cut."""
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.rows:not(.graph), .cards dd, .cards dt, .legend li, .head h2')]
            .filter((one) => one.scrollWidth > one.clientWidth + 1)
            .map((one) => (one.closest('.tile')?.id ?? '') + ': ' + one.textContent.trim().slice(0, 40))"""
    )
    assert not cut, cut
