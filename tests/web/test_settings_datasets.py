"""The pages of connections and datasets: forms by kind, files, preview, partitions, an import that is followed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pytest

from support.web import WebServer
from web.test_settings_pages import admin, done, posted
from whodid.places import KINDS

__all__ = ["admin"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of events as files."""
    root = tmp_path_factory.mktemp("audit")
    for day in ("2026-03-01", "2026-03-02"):
        (root / day).mkdir()
        lines = [
            f'{{"type":"from-files","time":"{day}T0{hour}:00:00Z","user":"ute","note":"<b>&"}}' for hour in range(5)
        ]
        (root / day / "events.json").write_text("\n".join(lines) + "\n")
    (root / "README").write_text("not of the pattern")
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_place_has_a_form_of_its_options(admin: httpx.Client, kind: str) -> None:
    page = admin.get(f"/settings/add/connections/{kind}").text
    for option in KINDS[kind].options:
        assert f'name="option_{option.name}"' in page
    assert 'type="password"' in page or not any(option.secret for option in KINDS[kind].options)


def test_from_a_connection_to_imported_events(admin: httpx.Client, server: WebServer, folder: Path) -> None:
    where = done(posted(admin, "/settings/add/connections/folder", name="archive", option_path=str(folder)))
    listed = admin.get(where).text
    assert "2026-03-01/events.json" in listed and "README" in listed
    fields = {
        "name": "days",
        "connection": "archive",
        "format": "json",
        "charset": "utf8",
        "partitioning": "/%Y-%M-%D/.*",
    }
    rows = admin.get(done(posted(admin, "/settings/add/datasets", **fields))).text
    assert (
        "from-files" in rows and "&lt;b&gt;&amp;" in rows and "2 partitions of 2 files; 1 file does not match" in rows
    )
    assert "2026-03-02" in admin.get("/settings/datasets/days/partitions").text
    job = done(posted(admin, "/settings/datasets/days/imports", partition="2026-03-01"))
    deadline = time.monotonic() + 30
    while "data-watch" in (page := admin.get(job).text):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert re.search(r'<dt>Events</dt><dd class="">5</dd>', page) and "What came of it" in page
    assert len(server.recorded("from-files")) == 5
    assert "dataset &#39;days&#39;" in admin.get("/settings/connections/archive/delete").text
    done(posted(admin, "/settings/datasets/days/delete"))
    done(posted(admin, "/settings/connections/archive/delete"))
    assert admin.get("/settings/connections/archive").status_code == 404


def test_an_import_that_could_not_read_a_file_does_not_look_whole(admin: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text('{"type":"of-one","time":"2026-03-01T10:00:00Z"}\n')
    (tmp_path / "odd.json").write_text('{"of": "no format that is known"}\n')
    done(posted(admin, "/settings/add/connections/folder", name="mixed", option_path=str(tmp_path)))
    fields = {"name": "both", "connection": "mixed", "format": "json", "charset": "utf8"}
    done(posted(admin, "/settings/add/datasets", **fields))
    page = admin.get(imported(admin, "both")).text
    assert '<dd class="bad">done, but not all of it could be read</dd>' in page
    assert "What could not be read" in page and page.count("odd.json") == 1
    assert "What can be imported is text in UTF-8" in page and "--format" not in page
    done(posted(admin, "/settings/datasets/both/delete"))
    done(posted(admin, "/settings/connections/mixed/delete"))


def imported(admin: httpx.Client, dataset: str) -> str:
    """The page of an import of all of a dataset, once it is over."""
    job = done(posted(admin, f"/settings/datasets/{dataset}/imports", all="1"))
    deadline = time.monotonic() + 30
    while "data-watch" in admin.get(job).text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return job


def test_secrets_of_connections_are_never_shown_and_stay_when_left_empty(
    admin: httpx.Client, server: WebServer
) -> None:
    fields = {"name": "bucket", "option_bucket": "b", "option_access_key_id": "AKIA1", "option_region": "eu-central-1"}
    done(posted(admin, "/settings/add/connections/s3", **fields, option_secret_access_key="very-secret"))
    page = admin.get("/settings/connections/bucket").text
    assert "AKIA1" in page and "very-secret" not in page
    del fields["option_access_key_id"]
    done(posted(admin, "/settings/connections/bucket", **fields, description="Ours"))
    assert server.engine.datasets.connections.unsealed("bucket") == {
        "bucket": "b", "region": "eu-central-1", "secret_access_key": "very-secret",
    }  # fmt: skip
    done(posted(admin, "/settings/connections/bucket/delete"))


def test_what_is_wrong_with_a_place_or_a_dataset_is_told(admin: httpx.Client, folder: Path) -> None:
    page = posted(admin, "/settings/add/connections/folder", name="bad name", option_path=str(folder))
    assert page.status_code == 400 and 'id="f1-name-wrong"' in page.text
    page = posted(admin, "/settings/add/connections/folder", name="x1", option_path=str(folder), users="nobody-there")
    assert page.status_code == 404 and 'id="f1-users-wrong"' in page.text
    done(posted(admin, "/settings/add/connections/folder", name="gone", option_path=str(folder / "missing")))
    assert "It does not work" in admin.get("/settings/connections/gone/files").text
    fields = {"name": "d", "connection": "gone", "format": "json", "charset": "utf8"}
    page = posted(admin, "/settings/add/datasets", **fields, partitioning="%Q(")
    assert page.status_code == 400
    done(posted(admin, "/settings/add/datasets", **fields))
    assert "It cannot be read" in admin.get("/settings/datasets/d/preview").text
    done(posted(admin, "/settings/datasets/d/delete"))
    done(posted(admin, "/settings/connections/gone/delete"))
