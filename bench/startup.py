"""How long `import whodid` takes, and how much memory an idle server keeps.

python -m bench.startup
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import row, spread
from bench.server import serving

IMPORT = (
    "import time; begin = time.perf_counter(); import whodid; whodid.Event; print((time.perf_counter() - begin) * 1e3)"
)


def import_ms() -> float:
    """Time of `import whodid` (and its Event) in a fresh interpreter, in milliseconds."""
    return float(subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    print(row("start", "measured", "asked"))
    print(row("---", "---:", "---:"))
    print(row("import whodid, ms", spread([import_ms() for _ in range(9)][2:]), 80))
    with tempfile.TemporaryDirectory(dir=".") as name:
        memory, ready = [], []
        for run in range(5):
            begin = time.perf_counter()
            with serving(Path(name) / str(run)) as server:
                ready.append(time.perf_counter() - begin)
                server.scalar("SELECT count(*) FROM events")
                time.sleep(3)
                memory.append(server.rss_mb())
    print(row("whodid serve until it answers, s", spread(ready), ""))
    print(row("idle server, MB", spread(memory), 250))


if __name__ == "__main__":
    main()
