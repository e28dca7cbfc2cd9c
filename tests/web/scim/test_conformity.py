"""The public conformity test of SCIM servers finds nothing wrong."""

from __future__ import annotations

from collections import Counter

import httpx2
import pytest

from support.web import WebServer


@pytest.mark.filterwarnings("ignore")
def test_the_server_conforms_to_rfc_7643_and_7644(server: WebServer) -> None:
    # Loading these takes seconds, which whoever only looks for tests is spared.
    from scim2_client.engines.httpx2 import SyncSCIMClient
    from scim2_tester import Status, check_server

    _, secret = server.engine.directory.create_key("conformity", ["scim"], by="test")
    headers = {"authorization": f"Bearer {secret}"}
    with httpx2.Client(base_url=f"{server.url}/scim/v2", headers=headers, timeout=30) as client:
        results = check_server(SyncSCIMClient(client))
    counts = Counter(result.status for result in results)
    wrongs = (Status.DEVIATION, Status.ERROR, Status.CRITICAL)
    wrong = [f"{result.status.name} {result.title}: {result.reason}" for result in results if result.status in wrongs]
    assert not wrong, "\n".join(wrong)
    assert counts[Status.SUCCESS] + counts[Status.COMPLIANT] > 100, counts
