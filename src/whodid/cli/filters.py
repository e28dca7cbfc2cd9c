"""Which events a verb is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

Texts = list[str] | None


@Parameter(name="*", group=Group("Which events", sort_key=10))
@dataclass(frozen=True, kw_only=True)
class Which:
    """Conditions that all have to hold; of several values for one, one has to."""

    user: Annotated[Texts, Parameter(help="Done by or for this login.")] = None
    group: Annotated[Texts, Parameter(help="Done by members of this group.")] = None
    type: Annotated[Texts, Parameter(help="Type, with * for any part.")] = None
    kind: Annotated[Texts, Parameter(help="What reports count it as: run, use or error.")] = None
    level: Annotated[Texts, Parameter(help="audit, usage, error, warning, info or debug.")] = None
    topic: Annotated[Texts, Parameter(help="Topic.")] = None
    entity: Annotated[Texts, Parameter(help="What it was done to, as type:id.")] = None
    project: Annotated[Texts, Parameter(help="Project, by its key.")] = None
    session: Annotated[Texts, Parameter(help="Session.")] = None
    function: Annotated[Texts, Parameter(help="Function that was run.")] = None
    status: Annotated[Texts, Parameter(help="What came of it.")] = None
    node: Annotated[Texts, Parameter(help="Server or node that sent it.")] = None
    request_id: Annotated[Texts, Parameter(help="Request.")] = None
    error_hash: Annotated[Texts, Parameter(help="Group of errors.")] = None
    parameter: Annotated[Texts, Parameter(name="--param", help="Parameter, as name=value.")] = None
    item: Annotated[Texts, Parameter(help="Item of the interface, as kind:name.")] = None
    service: Annotated[Texts, Parameter(help="API service that was asked.")] = None
    endpoint: Annotated[Texts, Parameter(help="Its endpoint.")] = None
    version: Annotated[Texts, Parameter(help="The version of it that answered.")] = None
    caller: Annotated[Texts, Parameter(help="Who asked an API service.")] = None
    text: Annotated[str | None, Parameter(help="Part of a description, name, error or parameter.")] = None
    since: Annotated[str | None, Parameter(help="From then on: 7d, 24h, 2026-03-01, …")] = None
    until: Annotated[str | None, Parameter(help="Before then.")] = None

    def wanted(self) -> dict[str, Any]:
        """The filters of `Reader.events`."""
        return dict(vars(self))


ALL = Which()
