"""The benchmarks run, and believe no figure that the books do not confirm."""

import json
import subprocess
import sys
from pathlib import Path

from support.processes import ROOT


def test_a_short_benchmark_finds_every_acknowledged_trade_in_the_books(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    size = ("--clients", "2", "--seconds", "0.2", "--rounds", "1", "--out", str(kept))
    subprocess.run(
        [sys.executable, "-m", "bench", "trades", *size],
        cwd=ROOT,
        check=True,
        timeout=60,
        capture_output=True,
    )
    (part,) = json.loads(kept.read_text())["parts"]
    assert [figure["name"] for figure in part["figures"]] == ["2 clients", "memory afterwards"]
    assert "acknowledged" in part["checks"][0]
