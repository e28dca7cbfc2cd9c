"""Azure Blob Storage by Microsoft's own emulator (npm azurite): it checks signatures and If-None-Match."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from support.javascript import JavaScriptMissing, node

HERE: Final = Path(__file__).parent.parent / "services" / "azurite"
# The one account that the emulator has, with the key that its documentation publishes.
ACCOUNT: Final = "devstoreaccount1"
KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_VERSION: Final = "2021-08-06"


class Azurite(NamedTuple):
    """A running emulator, which has its blobs in memory."""

    endpoint: str

    def options(self, container: str, **more: str) -> dict[str, str]:
        """The options of a place in one of its containers."""
        return {
            "container": container,
            "account": ACCOUNT,
            "account_key": KEY,
            "endpoint": self.endpoint,
            **more,
        }

    def container(self, name: str) -> Any:
        """A container, made if it is not there, as an `obstore` store of its own."""
        from obstore.store import AzureStore

        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        told = f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        signed = hmac.digest(base64.b64decode(KEY), ("PUT" + "\n" * 12 + told).encode(), hashlib.sha256)
        answer = httpx.put(
            f"{self.endpoint}/{name}",
            params={"restype": "container"},
            headers={
                "x-ms-date": date,
                "x-ms-version": _VERSION,
                "authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signed).decode()}",
            },
        )
        assert answer.status_code in (201, 409), answer.text
        return AzureStore(
            name,
            account_name=ACCOUNT,
            account_key=KEY,
            endpoint=self.endpoint,
            client_options={"allow_http": True},
        )


def blobs_of(store: Any, prefix: str = "") -> dict[str, bytes]:
    """Every blob of a store below a prefix, by name."""
    found = [entry["path"] for page in store.list(prefix or None) for entry in page]
    return {path: bytes(store.get(path).bytes()) for path in found}


@contextmanager
def azurite() -> Iterator[Azurite]:
    """An emulator of its own (2 s).

    Raises  JavaScriptMissing  Node or azurite is not installed.
    """
    program = HERE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    command = [node(), str(program), "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry"]
    if not program.exists():
        raise JavaScriptMissing("azurite is not installed (npm install --prefix tests/services/azurite)")
    with subprocess.Popen(
        [*command, "--skipApiVersionCheck", "--silent"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            assert child.stdout is not None
            said = []
            for line in child.stdout:
                said.append(line)
                if "successfully listens on" in line:
                    break
            else:
                raise ChildProcessError("".join(said))
            yield Azurite(f"{line.split()[-1]}/{ACCOUNT}")
        finally:
            child.kill()
