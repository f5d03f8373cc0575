"""Threads that wait sleep: set before any library loads OpenMP, and a user's own choice stands."""

import os
import subprocess
import sys

import pytest

from usfm.waiting import POLICY, sleep_while_waiting


@pytest.mark.parametrize("chosen", [POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_a_users_choice_stands(chosen):
    variables = {chosen: "mine"}
    sleep_while_waiting(variables)
    assert variables == {chosen: "mine"}


def test_it_is_in_force_before_torch_and_in_children():
    code = (
        "import os, subprocess, sys; import usfm; assert 'torch' not in sys.modules; "
        "print(os.environ['OMP_WAIT_POLICY'], subprocess.run([sys.executable, '-c', "
        "'import os; print(os.environ[\"OMP_WAIT_POLICY\"])'], capture_output=True, text=True).stdout)"
    )
    free = {
        name: value for name, value in os.environ.items() if name not in (POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=free, check=True)
    assert done.stdout.split() == ["PASSIVE", "PASSIVE"]
