"""The load client of `whodid bench`, as a command of the benchmarks: python -m bench.load URL [--batch 1] …"""

from __future__ import annotations

from whodid.benchmark.load import main

if __name__ == "__main__":
    main()
