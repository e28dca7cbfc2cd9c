"""How examples of a verb are laid out, so that a terminal of 80 columns breaks none."""

from __future__ import annotations

from whodid.cli.examples import laid_out


def test_notes_stand_in_a_column() -> None:
    assert laid_out("whodid list\nwhodid pause siem    for a while\nwhodid drop  for ever") == (
        "Examples:\n  whodid list\n  whodid pause siem  for a while\n  whodid drop        for ever"
    )


def test_notes_stand_above_when_one_of_them_does_not_fit() -> None:
    note = "what " * 14
    assert laid_out(f"whodid list  all\nwhodid pause siem  {note}") == (
        f"Examples:\n  # all\n  whodid list\n  # {note.strip()}\n  whodid pause siem"
    )


def test_long_commands_go_on_at_an_option() -> None:
    told = laid_out(f"whodid create lake --path {'x' * 40} --until 2026-04-01 --on \\\n  'a b' --off")
    assert told == (f"Examples:\n  whodid create lake --path {'x' * 40} \\\n      --until 2026-04-01 --on 'a b' --off")
