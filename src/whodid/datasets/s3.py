"""Objects of S3 (and servers that speak it) as sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from whodid.datasets.sources import Problem, Source
from whodid.errors import WhodidError
from whodid.places.objects import ObjectPlace, reason


def list_objects(url: str, endpoint: str | None) -> Iterator[Source | Problem]:
    """The objects whose key begins with the prefix of `s3://bucket/prefix`, oldest first.

    Credentials, region and endpoint come from the usual AWS_* variables of the environment.

    Raises
    ------
    WhodidError("invalid")
        obstore is not installed; the hint says how to install it.
    WhodidError("unavailable")
        The bucket cannot be listed: the message says why.
    """
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not bucket:
        raise WhodidError("invalid", f"{url} names no bucket.", "Write s3://bucket/prefix.")
    place = _place(bucket, endpoint)
    try:
        # obstore takes a prefix for a folder; S3 itself and its users do not.
        listed = [entry for page in place.store.list(prefix.rpartition("/")[0] or None) for entry in page]
    except Exception as error:
        raise WhodidError("unavailable", f"{url} cannot be listed: {reason(error)}", _HINT) from error
    objects = [entry for entry in listed if entry["size"] and entry["path"].startswith(prefix.rstrip("/"))]
    if not objects:
        yield Problem(url, "no object is there")
    for entry in sorted(objects, key=lambda entry: (entry["last_modified"], entry["path"])):
        yield _source(place, bucket, entry)


_HINT = "See AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and --endpoint for other servers than Amazon's."


def _source(place: ObjectPlace, bucket: str, entry: Any) -> Source:
    key = entry["path"]
    version = f"{entry['size']}:{entry.get('e_tag') or entry['last_modified'].isoformat()}"

    return Source(name=f"s3://{bucket}/{key}", size_bytes=entry["size"], version=version, open=partial(place.open, key))


def _place(bucket: str, endpoint: str | None) -> ObjectPlace:
    """The bucket; what is not named comes from the usual AWS_* variables."""
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    try:
        return ObjectPlace("s3", {"bucket": bucket, **({"endpoint": endpoint} if endpoint else {})})
    except ModuleNotFoundError as error:
        raise WhodidError(
            "invalid", "s3:// needs 'obstore', which is not installed.", "Install it with: pip install 'whodid[s3]'"
        ) from error
