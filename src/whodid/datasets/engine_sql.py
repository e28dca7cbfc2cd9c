"""A view of a dataset's files for other engines: DuckDB, Spark, Athena and Trino read them where they lie."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from whodid.datasets.dataset import LINE, Dataset
from whodid.errors import WhodidError
from whodid.pattern import PathPattern

ENGINES: Final[dict[str, str]] = {"duckdb": "duckdb", "spark": "spark", "athena": "athena", "trino": "athena"}

_TOKEN: Final = re.compile(r"%(?:([YMDH])|\{(\w+)\})")
_NAMES: Final = {"Y": "year", "M": "month", "D": "day", "H": "hour"}
_RANGES: Final = {"Y": ("2000,2100", 4), "M": ("1,12", 2), "D": ("1,31", 2), "H": ("0,23", 2)}
_HIVE: Final = {"text": "string", "whole": "bigint", "number": "double", "bool": "boolean"}
_SCHEMES: Final = {"spark": {"s3": "s3a", "gs": "gs", "az": "abfss"}}


def view(dataset: Dataset, url: str, engine: str, columns: Sequence[Mapping[str, str]]) -> str:
    """The statement that makes a view of the dataset's files for an engine.

    url      of the place that holds them.
    engine   a name of `ENGINES`.
    columns  names and types of a preview: Athena and Trino need them beforehand.

    Raises
    ------
    WhodidError("invalid")
        There is no such engine.
    """
    if engine not in ENGINES:
        raise WhodidError("invalid", f"There is no engine {engine[:50]!r}.", f"Engines: {', '.join(ENGINES)}.")
    root = "/".join(part for part in (url.removeprefix("file://").rstrip("/"), dataset.path.strip("/")) if part)
    pattern = dataset.pattern
    glob = f"{root}/**" if pattern is None else root + _glob(pattern)
    matching = f"^{re.escape(root)}{_regular(pattern)}$" if pattern is not None else ""
    return (
        _templates()
        .get_template(f"{ENGINES[engine]}.sql")
        .render(
            dataset=dataset.name,
            name=re.sub(r"\W", "_", dataset.name),
            note="" if dataset.charset == "utf8" else f" (charset {dataset.charset}: set it in the engine)",
            format={LINE: "line"}.get(dataset.format, dataset.format),
            depth=dataset.max_depth,
            glob=_quoted(glob),
            spark_glob=_quoted(_spark_path(root if pattern is None else _folders(root, pattern))),
            matching=_quoted(matching) if matching else "",
            spark_matching=_quoted((_regular(pattern) + "$").replace("\\", "\\\\")) if pattern else "",
            parts=_parts(pattern, root) if pattern is not None else [],
            columns=[_hive(column) for column in columns],
            location=_quoted(root + "/"),
            template=_quoted(root + _template(pattern)) if pattern is not None else "",
        )
        .strip()
        + "\n"
    )


@cache
def _templates() -> Environment:
    return Environment(  # noqa: S701 - statements, not pages; every text goes through _quoted
        loader=PackageLoader("whodid.datasets", "sql"), undefined=StrictUndefined, keep_trailing_newline=True
    )


def _parts(pattern: PathPattern, root: str) -> list[dict[str, str]]:
    """The dimensions and levels of time, each as a column that is read out of the file's name."""
    found = []
    for place, token in enumerate(_TOKEN.finditer(pattern.text), start=1):
        name = _column(token)
        regular = _regular(pattern)
        whole = _quoted(re.escape(root) + regular)
        spark = _quoted(regular.replace("\\", "\\\\"))
        if token[1]:
            span, digits = _RANGES[token[1]]
            projection = f"'projection.{name}.type' = 'integer',\n    'projection.{name}.range' = '{span}',\n"
            projection += f"    'projection.{name}.digits' = '{digits}'"
        else:
            projection = f"'projection.{name}.type' = 'injected'"
        found.append(
            {
                "name": name,
                "duckdb": f"regexp_extract(filename, {whole}, {place})",
                "spark": f"regexp_extract(input_file_name(), {spark}, {place})",
                "projection": projection,
            }
        )
    return found


def _column(token: re.Match[str]) -> str:
    """The name of a dimension's or level's column; the records have columns like `topic` of their own."""
    return f"partition_{token[2] or _NAMES[token[1]]}"


def _regular(pattern: PathPattern) -> str:
    return _TOKEN.sub(lambda token: f"([0-9]{{{_RANGES[token[1]][1]}}})" if token[1] else "([^/]+)", pattern.text)


def _glob(pattern: PathPattern) -> str:
    text = _TOKEN.sub("*", pattern.text)
    return re.sub(r"\.[*+]", "**" if text.endswith((".*", ".+")) else "*", text).replace("\\", "")


def _folders(root: str, pattern: PathPattern) -> str:
    prefix = pattern.prefix()
    return f"{root}/{prefix}" if prefix else root


def _template(pattern: PathPattern) -> str:
    text = _TOKEN.sub(lambda token: f"${{{_column(token)}}}", pattern.text)
    return text.rpartition("/")[0] + "/"


def _spark_path(path: str) -> str:
    scheme, found, rest = path.partition("://")
    return f"{_SCHEMES['spark'].get(scheme, scheme)}://{rest}" if found else path


def _hive(column: Mapping[str, Any]) -> dict[str, str]:
    return {"name": str(column["name"]).replace("`", "").lower(), "hive": _HIVE.get(str(column["type"]), "string")}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
