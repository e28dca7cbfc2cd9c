"""Benchmarks beside their peers; each module is a command: `python -m bench.ingest`. Results: bench/README.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
