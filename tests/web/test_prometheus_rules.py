"""The alert rules that come along speak of metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

from whodid.web import status

RULES = Path(__file__).parents[2] / "deploy" / "prometheus-rules.yml"


def test_every_metric_of_the_rules_is_one_of_ours() -> None:
    named = set(re.findall(r"\bwhodid_[a-z_]+\b", " ".join(re.findall(r"expr: (.*)", RULES.read_text()))))
    source = Path(status.__file__).read_text()
    assert named
    assert [name for name in sorted(named) if f'"{name}"' not in source and f" {name} " not in source] == []


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    text = RULES.read_text()
    count = text.count("- alert:")
    assert count >= 10
    assert text.count("summary:") == text.count("description:") == text.count("severity:") == count
