"""Webhooks: signed, to the address that was looked at, and to none that must not be called."""

from __future__ import annotations

import hashlib
import hmac
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from support.webhooks import Receiver
from whodid.delivery.call import Call, refuse_forbidden
from whodid.delivery.webhook import Webhook, check, post
from whodid.errors import WhodidError

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = "shared-by-both-sides"


def test_what_is_sent_is_signed(hook: Receiver) -> None:
    assert post(Webhook(name="ops", url=hook.url, secret=SECRET), {"text": "ä"}, identifier="n-1", at=AT) == 200
    (posted,) = hook.posted
    assert posted.path == "/hooks/T0/the-secret-of-the-url?x=1"
    assert posted.json == {"text": "ä"}
    assert posted.headers["whodid-id"] == "n-1"
    seconds, digest = (part.partition("=")[2] for part in posted.headers["whodid-signature"].split(","))
    assert seconds == str(int(AT.timestamp()))
    expected = hmac.new(SECRET.encode(), f"{seconds}.".encode() + posted.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(digest, expected)


def test_without_a_secret_there_is_no_signature(hook: Receiver) -> None:
    post(Webhook(name="ops", url=hook.url), {}, identifier="n-1", at=AT)
    assert "whodid-signature" not in hook.posted[0].headers


@pytest.mark.parametrize(
    ("status", "code"), [(400, "forbidden"), (404, "forbidden"), (429, "unavailable"), (503, "unavailable")]
)
def test_answers_that_may_change_are_temporary(hook: Receiver, status: int, code: str) -> None:
    hook.status = status
    with pytest.raises(WhodidError, match=str(status)) as caught:
        post(Webhook(name="ops", url=hook.url, secret=SECRET), {}, identifier="n-1", at=AT)
    assert caught.value.code == code
    assert "the-secret-of-the-url" not in str(caught.value) and SECRET not in str(caught.value)


def test_redirections_are_not_followed(hook: Receiver) -> None:
    hook.status, hook.location = 302, "http://169.254.169.254/latest/meta-data"
    with pytest.raises(WhodidError, match="302"):
        post(Webhook(name="ops", url=hook.url), {}, identifier="n-1", at=AT)
    assert len(hook.posted) == 1


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.0.1", "0.0.0.0", "224.0.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16",
        "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "::", "ff02::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_called(address: str) -> None:
    with pytest.raises(WhodidError, match="is not called") as caught:
        refuse_forbidden(address, "somewhere.example.com")
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.7", "93.184.216.34", "::1", "2001:db8::1"])
def test_addresses_that_may_be_called(address: str) -> None:
    refuse_forbidden(address, "somewhere.example.com")


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://[::ffff:a9fe:a9fe]/", "http://0/", "http://2852039166/"]
)
def test_no_url_leads_to_them(url: str) -> None:
    with pytest.raises(WhodidError, match=r"is not called"):
        post(Webhook(name="ops", url=url), {}, identifier="n-1", at=AT)


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://example.com/", "file:///etc/passwd", "https://", "https://user:password@example.com/",
        "https://example.com:0/", "https://example.com:99999/", "https://example.com/a b",
        "https://example.com/\r\nHost: other", "//example.com/",
    ],
)  # fmt: skip
def test_urls_that_make_no_sense(url: str) -> None:
    with pytest.raises(WhodidError, match="URL of the webhook") as caught:
        check(Webhook(name="ops", url=url))
    assert not url or url not in str(caught.value)


def test_a_server_that_hangs_is_left_when_the_time_is_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with (
            pytest.raises(WhodidError, match=r"did not finish within 0\.2 s") as caught,
            Call("It", deadline_s=0.2) as call,
        ):
            call.connect("127.0.0.1", silent.getsockname()[1]).recv(1) or (_ for _ in ()).throw(OSError("closed"))
        assert caught.value.code == "unavailable"
        assert time.monotonic() - began < 3


def test_a_server_that_answers_drop_by_drop_is_left_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def drip() -> None:
            connection, _ = slow.accept()
            with connection:
                try:
                    while True:
                        connection.sendall(b"H")
                        time.sleep(0.02)
                except OSError:
                    return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        calls: list[Call] = []
        timer = threading.Timer(0.3, lambda: calls[0].abort("was stopped"))
        timer.start()
        with pytest.raises(WhodidError, match=r"was stopped|answered no HTTP"):
            url = f"http://127.0.0.1:{slow.getsockname()[1]}/"
            post(Webhook(name="ops", url=url), {}, identifier="n-1", at=AT, on_call=calls.append)
        thread.join(5)
        assert not thread.is_alive()
