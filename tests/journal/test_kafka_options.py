"""How a journal's URL is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from whodid.config import Option
from whodid.errors import WhodidError
from whodid.journal.kafka_options import OPTIONS, parse
from whodid.kafka import properties

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "kafka.md"


def test_a_url_names_brokers_topic_and_options() -> None:
    url = parse("kafka://kafka-1:9092,kafka-2:9092/audit?partitions=12&writer=no&key=entity&fetch.max.bytes=1000")
    assert (url.brokers, url.topic) == (("kafka-1:9092", "kafka-2:9092"), "audit")
    assert (url.partitions, url.writer, url.key, url.min_insync) == (12, False, "entity", 2)
    assert url.connection["settings"] == {"fetch.max.bytes": "1000"}
    assert url.connection["security"] == "ssl"


def test_credentials_may_stand_before_the_brokers() -> None:
    url = parse("kafka://ada:p%40ss%2Fword@kafka-1:9092/audit?key_password=s3cret")
    assert (url.username, url.password, url.key_password) == ("ada", "p@ss/word", "s3cret")
    assert url.connection["security"] == "sasl_ssl"
    assert "ss/word" not in repr(url) and "s3cret" not in repr(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("kafka:///audit", "no brokers"),
        ("kafka://a:1", "no topic"),
        ("kafka://a:1/au dit", "'au dit'"),
        ("kafka://a:1/..", "no topic"),
        ("kafka://a:1/audit?color=red", "'color'"),
        ("kafka://a:1/audit?partitions=many", "partitions is 'many'; it is a number of partitions"),
        ("kafka://a:1/audit?min_insync=0", "min_insync is 0"),
        ("kafka://a:1/audit?writer=perhaps", "writer is 'perhaps'; it is yes or no"),
        ("kafka://a:1/audit?compression=rar", "no compression 'rar'"),
    ],
)
def test_what_makes_no_sense_is_named(url: str, told: str) -> None:
    with pytest.raises(WhodidError) as refused:
        parse(url)
    assert refused.value.code == "invalid" and told in refused.value.message


def test_a_wrong_choice_is_told_with_the_choices() -> None:
    with pytest.raises(WhodidError) as refused:
        parse("kafka://a:1/audit?security=plain")
    assert refused.value.hint == "Choose of: ssl, sasl_ssl, plaintext, sasl_plaintext."


def test_a_secret_is_never_told() -> None:
    with pytest.raises(WhodidError) as refused:
        parse("kafka://ada:hush@/audit?password=hush&color=red")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "security"),
    [
        ("kafka://ada:hush@a:1/audit?security=plaintext", "plaintext"),
        ("kafka://ada@a:1/audit?security=ssl", "ssl"),
        ("kafka://a:1/audit?security=plaintext&password=hush", "plaintext"),
    ],
)
def test_a_user_whom_the_brokers_would_never_hear_of_is_refused(url: str, security: str) -> None:
    with pytest.raises(WhodidError) as refused:
        properties.client(parse(url).connection, client_id="test", on_error=print)
    assert refused.value.code == "invalid"
    assert f"security={security} shows the brokers neither" in refused.value.message
    assert "security=sasl_ssl, or sasl_plaintext" in str(refused.value.hint)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["kafka://a:1/t", "kafka://ada:hush@a:1/t", "kafka://ada:hush@a:1/t?security=sasl_plaintext"]
)
def test_who_is_shown_or_is_nobody_is_let_go_on(url: str) -> None:
    assert properties.client(parse(url).connection, client_id="test", on_error=print)["bootstrap.servers"] == "a:1"


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_options_are_documented(option: Option) -> None:
    default = {"": "–", True: "yes"}.get(option.default, option.default)
    shown = f"{default:,}" if type(default) is int else default
    row = f"| `{option.name}` | {shown} | {option.unit} | {option.help}{' (secret)' * option.secret} |"
    assert row in DOCUMENTATION.read_text()
