"""Who may import whom: words ← contracts ← parts ← steps ← faces ← wiring, and parts never import a sibling."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import whodid

ROOT = Path(whodid.__file__).parent

# Folder or module under whodid → its layer; imports may only go to the same or a lower one.
LAYERS = {
    "errors": 0, "event": 0, "catalogue": 0, "config": 0, "plugins": 0, "pattern": 0, "data": 0, "stack_trace": 0,
    "addresses": 0, "amounts": 0, "durable": 0, "masking": 0, "trust": 0, "typed": 0,
    "places": 1, "kafka": 1, "postgresql": 1,
    "formats": 2, "journal": 2, "stores": 2, "directory": 2, "targets": 2,
    "agent": 3, "client": 3, "policy": 3, "receive": 3, "reading": 3, "reports": 3, "datasets": 3, "demo": 3,
    "dispatch": 3, "analysis": 3, "delivery": 3, "retention": 3,
    "web": 4, "schedules": 4, "alerts": 4, "beside": 4, "benchmark": 4,
    "engine": 5, "serve": 5, "cli": 6, "__main__": 6,
}  # fmt: skip

# What a part may use of another part: contracts, and the crash points.
SHARED = {
    "whodid.journal.base", "whodid.journal.crash", "whodid.stores.base", "whodid.formats.base", "whodid.targets.base",
}  # fmt: skip
PARTS = {"formats", "journal", "stores", "directory", "targets"}

MODULES = sorted(ROOT.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """The whodid modules that `path` imports when it is loaded (imports inside functions are loaded on use)."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("whodid"):
            parent = node.module or ""
            found.update(
                f"{parent}.{name.name}"
                if (ROOT.parent / parent.replace(".", "/") / f"{name.name}.py").exists()
                else parent
                for name in node.names
            )
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names if name.name.startswith("whodid"))
    return found


def layer_name(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    relative = path.relative_to(ROOT)
    own = relative.parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for imported in imports_of(path):
        other = layer_name(imported)
        if not other or other == own:
            continue
        assert LAYERS[other] <= LAYERS[own], f"{relative} imports {imported}, which lies above it"
        if own in PARTS and other in PARTS:
            assert imported in SHARED, f"{relative} is a part and imports {imported} of another part"


def test_importing_whodid_loads_no_server_and_no_database() -> None:
    script = "import sys, whodid; whodid.Event; print([m for m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    for heavy in ("duckdb", "pyarrow", "litestar", "uvicorn", "sqlalchemy", "rich"):
        assert f"'{heavy}'" not in loaded, f"importing whodid loads {heavy}"
