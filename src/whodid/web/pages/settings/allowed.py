"""What of a page of settings is shown to whom: forms and buttons to who may use them, links that they may follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from whodid.web.pages.blocks import Asked, Block, Button, Doing, Item, Table

# Whether the caller may open an address.
Leads = Callable[[str], bool]


def blocks_for(blocks: Sequence[Block], leads: Leads, *, may_change: bool) -> list[Block]:
    """The blocks as somebody sees them; all of them for who may change settings."""
    if may_change:
        return list(blocks)
    shown = (_shown(block, leads) for block in blocks)
    return [block for block in shown if block is not None]


def buttons_for(buttons: Sequence[Button], leads: Leads, *, may_change: bool) -> list[Button]:
    """The buttons that somebody may press; what is sent by them changes something."""
    return [one for one in buttons if may_change or (not one.post and leads(one.address))]


def _shown(block: Block, leads: Leads) -> Block | None:
    if isinstance(block, Asked):
        return None
    if isinstance(block, Doing):
        buttons = buttons_for(block.buttons, leads, may_change=False)
        return Doing(buttons) if buttons else None
    if isinstance(block, Table):
        rows = [[_item(one, leads) for one in row] for row in block.rows]
        return _without_empty_end(block._replace(rows=rows))
    return block


def _item(one: Item, leads: Leads) -> Item:
    href = one.href if one.href and leads(one.href) else ""
    return one._replace(href=href, buttons=buttons_for(one.buttons, leads, may_change=False))


def _without_empty_end(table: Table) -> Table:
    """The table without its column of buttons, when none is left in it."""
    if table.heads[-1] or any(row[-1].buttons or row[-1].text for row in table.rows):
        return table
    return table._replace(heads=table.heads[:-1], rows=[row[:-1] for row in table.rows])
