"""Policies: what is logged for whom. Rules in order, the first that means a user counts for all that user does.

    rule ─► plan ─► gate (at the door) · wire (what clients are told) · trial (what it would do to real traffic)

`rule` is what an administrator says, `plan` what it comes to, `live` keeps both in step with the directory.
A capture adds for a while what the rules leave out. Security types are beyond all of this: see `protected`.
"""
