"""A table of Iceberg has one target of a server, however its catalog and warehouse are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.targets import watched
from whodid.dispatch.management import NewTarget, TargetFields
from whodid.errors import WhodidError

LAKE = {"uri": "postgresql://a:secret@db.example.com/lake", "warehouse": "file:///srv/lake"}
GLUE = {"catalog": "glue", "warehouse": "s3://audit/lake", "region": "eu-central-1"}
REST = {"catalog": "rest", "uri": "https://catalog.example.com/api", "warehouse": "audit"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LAKE, LAKE),
        (LAKE, LAKE | {"warehouse": "/srv/lake/"}),
        (LAKE, LAKE | {"uri": "postgres://b@DB.example.com:5432/lake?sslmode=require", "warehouse": "file:///srv/2"}),
        (LAKE, LAKE | {"uri": "postgresql+psycopg://db.example.com/lake"}),
        (LAKE, {"uri": "sqlite:////srv/own.db", "warehouse": "file:/srv/lake"}),
        (LAKE, LAKE | {"catalog_name": "second"}),
        (LAKE | {"uri": "postgresql://a@/lake?host=/run/pg"}, LAKE | {"uri": "postgresql:///lake?host=/run/pg"}),
        (GLUE, GLUE | {"warehouse": "s3://audit/other"}),
        (GLUE, GLUE | {"warehouse": "s3a://audit/lake/", "region": "eu-west-1"}),
        (REST, REST | {"uri": "https://catalog.example.com:443/api/"}),
    ],
)
def test_a_table_has_one_target(one: dict[str, Any], other: dict[str, Any], tmp_path: Path) -> None:
    """Two would write every event twice, and take away each other's files."""
    with watched(tmp_path / "data") as running:
        book = running.dispatch.book
        book.create(NewTarget(name="lake", kind="iceberg", options=one, running=False))
        with pytest.raises(WhodidError, match=r"The target 'lake' writes the .*table whodid\.events") as refused:
            book.create(NewTarget(name="second", kind="iceberg", options=other, running=False))
        assert refused.value.code == "conflict"
        assert "secret" not in str(refused.value)
        elsewhere = other | {"table": "whodid.other"}
        book.create(NewTarget(name="second", kind="iceberg", options=elsewhere, running=False))
        with pytest.raises(WhodidError, match="The target 'lake' writes"):
            book.change("second", TargetFields(options={"table": "whodid.events"}))
        assert book.change("lake", TargetFields(options={"close_s": 60})).revision
        book.delete("lake")
        book.change("second", TargetFields(options={"table": "whodid.events"}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LAKE, {"uri": "postgresql://db.example.com/second", "warehouse": "file:///srv/second"}),
        (LAKE, {"uri": "postgresql://db.example.com:5433/lake", "warehouse": "file:///srv/second"}),
        (GLUE, GLUE | {"region": "eu-west-1", "warehouse": "s3://audit/west"}),
        (REST, REST | {"warehouse": "second"}),
        (REST, REST | {"uri": "https://second.example.com/api"}),
        (GLUE, REST),
    ],
)
def test_tables_of_one_name_elsewhere_are_others(one: dict[str, Any], other: dict[str, Any], tmp_path: Path) -> None:
    with watched(tmp_path / "data") as running:
        for name, options in (("lake", one), ("second", other)):
            running.dispatch.book.create(NewTarget(name=name, kind="iceberg", options=options, running=False))
