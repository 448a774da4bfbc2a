from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # how fast a busy machine makes up examples says nothing about the code


def pytest_xdist_auto_num_workers() -> int:
    """More workers than cores on a small machine: tests of processes and terminals mostly wait."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(cores, min(2 * cores, 8))


def pytest_configure(config: pytest.Config) -> None:
    """Where Python writes no bytecode beside the sources, pytest's cache holds it: the tests start many processes."""
    if sys.dont_write_bytecode and (cache := getattr(config, "cache", None)):
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(cache.mkdir("bytecode"))
        del os.environ["PYTHONDONTWRITEBYTECODE"]
        sys.dont_write_bytecode = False
