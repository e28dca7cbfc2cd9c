"""`GET /logger.js`."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from support.javascript import Platform


def get(platform: Platform, path: str = "/logger.js", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Without a key. Status, headers and body."""
    request = urllib.request.Request(platform.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def test_it_is_a_module_that_pages_of_every_origin_may_load(platform: Platform) -> None:
    status, headers, body = get(platform)
    assert status == 200
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert b"export class Logger" in body


def test_it_is_kept_by_browsers_and_asked_for_by_its_tag(platform: Platform) -> None:
    _, headers, body = get(platform)
    assert headers["cache-control"] == "public, max-age=300"
    again, told, nothing = get(platform, **{"If-None-Match": headers["etag"]})
    assert (again, nothing) == (304, b"")
    assert told["etag"] == headers["etag"]
    assert get(platform, **{"If-None-Match": '"another"'})[2] == body


@pytest.mark.parametrize("site", ["same-origin", "cross-site"])
def test_it_needs_no_key(platform: Platform, site: str) -> None:
    assert get(platform, **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "script"})[0] == 200
