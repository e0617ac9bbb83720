"""`python -m benchmarks` measures, prints and writes; `benchmarks.compare` tells a regression from noise."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import compare  # noqa: E402 - its folder is no installed package

MACHINE = {"python": "CPython 3.11.7", "platform": "Linux", "cores": 2, "packages": {}}


def test_the_smallest_run_prints_a_table_of_ratios_and_writes_them_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks", "protocol", "codec", "--size", "tiny"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path), "--output", str(written)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "receive_audio()" in done.stdout
    result = json.loads(written.read_text(encoding="utf-8"))
    assert (result["size"], result["runs"]) == ("tiny", 1)
    assert list(dict.fromkeys(row["part"] for row in result["rows"])) == ["codec", "protocol"]
    assert all(row["ratio"] == row["ours"] / row["theirs"] > 0 for row in result["rows"])
    assert "naive loop" in {row["against"] for row in result["rows"]}
    assert result["machine"]["packages"]["attrs"]
    assert compare.main([str(written), str(written), "--bound", "5"]) == 0
    assert capsys.readouterr().out == (
        f"{len(result['rows'])} ratios compared, 0 changed by more than the noise,"
        " 0 slower by more than 5 %; 0 of the old ones are gone\n"
    )


def result_file(path: Path, ratio: float, spread: float, **changes: object) -> str:
    row = {"part": "codec", "name": "decode", "against": "audioop", "ratio": ratio, "spread": spread}
    path.write_text(
        json.dumps({"machine": MACHINE, "size": "quick", "rows": [row], **changes}), encoding="utf-8"
    )
    return str(path)


@pytest.mark.parametrize(
    ("old", "new", "bound", "code", "word"),
    [
        ((2.0, 0.01), (2.0, 0.01), 10, 0, ""),
        ((2.0, 0.01), (2.09, 0.01), 1, 0, ""),  # less than two measurements always differ by
        ((2.0, 0.15), (2.5, 0.15), 10, 0, ""),  # less than the runs themselves differ by
        ((2.0, 0.05), (2.5, 0.05), 30, 0, "slower"),
        ((2.0, 0.05), (2.5, 0.05), 10, 1, "SLOWER"),
        ((2.5, 0.05), (2.0, 0.05), 10, 0, "faster"),
    ],
)
def test_a_ratio_is_a_regression_beyond_the_noise_and_the_bound(  # noqa: PLR0917 - a table
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    old: tuple[float, float],
    new: tuple[float, float],
    bound: float,
    code: int,
    word: str,
) -> None:
    before, after = result_file(tmp_path / "old.json", *old), result_file(tmp_path / "new.json", *new)
    ended = compare.main([before, after, "--bound", str(bound)])
    *told, summary = capsys.readouterr().out.splitlines()
    assert (ended, [line.split()[0] for line in told]) == (code, [word] if word else [])
    assert summary.startswith("1 ratios compared")


def test_files_of_another_size_are_not_compared_and_of_another_machine_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = result_file(tmp_path / "old.json", 1.0, 0.0)
    other_size = result_file(tmp_path / "size.json", 1.0, 0.0, size="full")
    other_machine = result_file(tmp_path / "machine.json", 1.0, 0.0, machine={**MACHINE, "cores": 64})
    assert compare.main([old, other_size, "--bound", "5"]) == 2
    assert compare.main([old, str(tmp_path / "none.json"), "--bound", "5"]) == 2
    assert capsys.readouterr().out == ""
    assert compare.main([old, other_machine, "--bound", "5"]) == 0
    assert capsys.readouterr().out.startswith("beware: cores is not the same in both\n")
