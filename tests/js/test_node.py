"""The JavaScript Logger in Node, before a real server; its types, its size and its package."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from support.javascript import JS, Platform

SIZE_BYTES_MAX = 6_000


@pytest.mark.parametrize("path", sorted((JS / "test").glob("*.test.js")), ids=lambda path: path.name)
def test_node(path: Path, node_path: str, platform: Platform, module: Path) -> None:
    environment = {
        **os.environ,
        "WHODID_SERVER": platform.url,
        "WHODID_KEY": platform.server.key,
        "WHODID_LOGGER_JS": module.as_uri(),
    }
    command = [node_path, "--test", str(path)]
    done = subprocess.run(command, cwd=JS, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout[-8000:]
    assert "# pass 0\n" not in done.stdout


def test_types_are_right(tsc: list[str]) -> None:
    done = subprocess.run([*tsc, "-p", str(JS)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    # Strictness comes from the file, so that an editor shows what this test says.
    options = json.loads((JS / "tsconfig.json").read_text())["compilerOptions"]
    assert options["strict"]
    assert options["checkJs"]


def test_types_of_a_caller_are_checked(tsc: list[str], tmp_path: Path, package: Path) -> None:
    """The shipped `.d.ts` knows the documented calls, and refuses wrong ones."""
    good = """
        import { Logger } from 'whodid-logger';
        const logger = new Logger((m) => m.params['persistent'] = 'value');
        logger.error('Error!', new Error().stack); logger.error(new Error('x'));
        logger.log('Error!', { stackTrace: '...' }, 'error');
        const fields = { entities: [['query', 'Q1', 'Sales'] as [string, string, string]] };
        Logger.create({ params: { a: 1 } }).audit('x', { a: 1 }, 'query-start', fields);
        const sent: Promise<boolean> = logger.package('Chem').flush();
    """
    bad = "import { Logger } from 'whodid-logger'; new Logger((m) => m.parms.a = 1);"
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "whodid-logger").symlink_to(package)
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--types", ""]
    for name, text, code in (("good", good, 0), ("bad", bad, 2)):
        path = tmp_path / f"{name}.mts"
        path.write_text(text)
        done = subprocess.run([*tsc, *options, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert (done.returncode != 0) == (code != 0), done.stdout


def test_it_is_small(module: Path) -> None:
    assert len(gzip.compress(module.read_bytes(), 6)) <= SIZE_BYTES_MAX


def test_the_package_holds_the_file_that_is_served_and_its_types(package: Path, module: Path) -> None:
    assert (package / "dist" / "logger.js").read_bytes() == module.read_bytes()
    assert "export declare class Logger" in (package / "dist" / "logger.d.ts").read_text()
    told = json.loads((package / "package.json").read_text())
    assert "dependencies" not in told
    names = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    assert names == {"package.json", "README.md", "dist/logger.js", "dist/logger.d.ts"}


def test_what_is_served_is_the_source_but_for_comments_spaces_and_names_of_numbers(
    tsc: list[str], module: Path, tmp_path: Path
) -> None:
    """As the compiler reads and prints both, they are one program."""
    printed = []
    for name, path in (("source", JS.parent / "src/whodid/web/static/logger.js"), ("served", module)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "logger.js").write_bytes(path.read_bytes())
        options = ["--allowJs", "--removeComments", "--target", "esnext", "--module", "esnext", "--types", ""]
        command = [*tsc, *options, "--outDir", str(folder / "out"), str(folder / "logger.js")]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        text = (folder / "out" / "logger.js").read_text()
        printed.append(re.sub(r"\s|,(?=\s*[)}\]])", "", text))
        assert len(printed[-1]) > 10_000, done.stdout
    source = printed[0]
    for name, digits in re.findall(r"const([A-Z_]+)=([\d_]+);", source):
        declared, value = f"const{name}={digits};", digits.replace("_", "")
        assert source.count(declared) == 1
        source = re.sub(rf"\b{name}\b", value, source.replace(declared, ""))
    # The compiler writes 10_000 as it finds it.
    assert source.replace("10_000", "10000") == printed[1].replace("10_000", "10000")


@pytest.fixture(scope="session")
def package(tsc: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `npm pack` makes, unpacked."""
    folder = tmp_path_factory.mktemp("package")
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, cwd=JS, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"
