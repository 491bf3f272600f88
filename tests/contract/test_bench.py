"""The benchmarks run, and believe no figure that the books do not confirm."""

import json
import subprocess
import sys
from pathlib import Path

from support.processes import ROOT


def test_a_short_benchmark_finds_every_acknowledged_trade_in_the_books(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    size = ("--clients", "2", "--seconds", "1", "--rounds", "1", "--out", str(kept))
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


def test_a_short_replay_is_counted_and_proven(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    subprocess.run(
        [sys.executable, "-m", "bench", "bulk", "--rows", "1000", "--out", str(kept)],
        cwd=ROOT,
        check=True,
        timeout=60,
        capture_output=True,
    )
    (part,) = json.loads(kept.read_text())["parts"]
    assert part["checks"][0].startswith("1,000 trades and sequence numbers = 1,000 rows")
    assert {figure["name"] for figure in part["figures"]} >= {"trades replayed", "verify"}


def test_performance_is_measured_where_its_contributions_add_up(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    size = ("--count", "300", "--tickers", "5")
    subprocess.run(
        [sys.executable, "-m", "bench", "performance", *size, "--out", str(kept)],
        cwd=ROOT,
        check=True,
        timeout=100,
        capture_output=True,
    )
    (part,) = json.loads(kept.read_text())["parts"]
    assert part["checks"][0].startswith("the contributions of 5 of 5 tickers are ")
    names = {figure["name"] for figure in part["figures"]}
    assert {"performance, first of all", "performance, 1y", "health meanwhile, p99"} <= names


def test_a_short_past_is_proven(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    size = ("--many", "2000", "--snapshots", "3000", "--least", "10", "--seconds", "0.1")
    subprocess.run(
        [sys.executable, "-m", "bench", "history", *size, "--out", str(kept)],
        cwd=ROOT,
        check=True,
        timeout=100,
        capture_output=True,
    )
    (part,) = json.loads(kept.read_text())["parts"]
    assert "20th page of trades, p99" in {figure["name"] for figure in part["figures"]}
    assert all("acknowledged" in check for check in part["checks"])


def test_every_event_stream_is_told_of_every_trade(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    size = ("--count", "20", "--seconds", "1")
    subprocess.run(
        [sys.executable, "-m", "bench", "events", *size, "--out", str(kept)],
        cwd=ROOT,
        check=True,
        timeout=100,
        capture_output=True,
    )
    (part,) = json.loads(kept.read_text())["parts"]
    assert not part["failure"]
    assert part["checks"] == ["each of 20 streams was told of each of 20 trades once"]
