"""A container's log file: Docker's lines, whole and bounded."""

import json
import os
from pathlib import Path

from labkit.engine.shim.jsonlog import LINE, JsonLog, timestamp


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_output_is_cut_at_line_ends(tmp_path):
    log = JsonLog(str(tmp_path / "log"), 10_000, 2)
    log.write(1, b"one\ntw")
    log.write(2, b"other\n")
    log.write(1, b"o\nrest")
    assert [(x["stream"], x["log"]) for x in lines(tmp_path / "log")] == [
        ("stdout", "one\n"),
        ("stderr", "other\n"),
        ("stdout", "two\n"),
    ]
    log.close()
    assert lines(tmp_path / "log")[-1]["log"] == "rest", "what has no end is written when the stream ends"


def test_a_line_without_end_is_cut(tmp_path):
    log = JsonLog(str(tmp_path / "log"), 1 << 20, 2)
    log.write(1, b"x" * (LINE + 10))
    assert [len(x["log"]) for x in lines(tmp_path / "log")] == [LINE]
    log.close()
    assert [len(x["log"]) for x in lines(tmp_path / "log")] == [LINE, 10]


def test_the_files_stay_bounded(tmp_path):
    log = JsonLog(str(tmp_path / "log"), 1_000, 3)
    for number in range(200):
        log.write(1, b"line %d\n" % number)
    log.close()
    files = sorted(os.listdir(tmp_path))
    assert files == ["log", "log.1", "log.2"]
    assert all((tmp_path / name).stat().st_size <= 1_000 for name in files)
    kept = [x["log"] for name in ("log.2", "log.1", "log") for x in lines(tmp_path / name)]
    assert kept == [f"line {n}\n" for n in range(200 - len(kept), 200)], "the newest lines, none missing between"


def test_a_full_disk_stops_nobody(tmp_path):
    log = JsonLog(str(tmp_path / "log"), 1_000, 2)
    os.close(log.fd)
    log.fd = os.open("/dev/full", os.O_WRONLY)
    log.write(1, b"lost\n")
    assert log.lost == 1
    log.close()


def test_times_have_nine_digits():
    assert timestamp(1_700_000_000_000_000_007) == "2023-11-14T22:13:20.000000007Z"
