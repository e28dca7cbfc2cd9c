"""How the command begins and ends: Ctrl-C at its first moment, and while threads are still at work."""

from __future__ import annotations

import signal
import subprocess
import sys

from whodid.cli import INTERRUPTED

RUN = "import runpy; runpy.run_module('whodid', run_name='__main__', alter_sys=True)"

CTRL_C_WHILE_IT_IS_LOADED = f"""
import os, signal, sys

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "whodid.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
{RUN}
"""
CTRL_C_WHILE_A_THREAD_WORKS = f"""
import threading, whodid.cli

def main():
    print("a part of the answer")
    threading.Thread(target=threading.Event().wait).start()
    return whodid.cli.INTERRUPTED

whodid.cli.main = main
{RUN}
"""


def ended(code: str, *words: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_ctrl_c_while_the_command_is_loaded_ends_it_without_a_word() -> None:
    assert ended(CTRL_C_WHILE_IT_IS_LOADED, "status") == (-signal.SIGINT, "", "")


def test_ctrl_c_does_not_wait_for_threads_and_keeps_what_was_printed() -> None:
    assert ended(CTRL_C_WHILE_A_THREAD_WORKS) == (INTERRUPTED, "a part of the answer\n", "")


def test_what_was_told_to_ignore_ctrl_c_ignores_it() -> None:
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{CTRL_C_WHILE_IT_IS_LOADED}"
    outcome, answer, _ = ended(ignoring, "--version")
    assert (outcome, answer[:1].isdigit()) == (0, True)
