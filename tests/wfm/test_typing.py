"""What type checkers see of the package is what `typing/api.py` says."""

import os
import re
from pathlib import Path

import mypy.api
import pytest

import cxone_wfm

API = Path(__file__).parents[1] / "typing" / "api.py"
PACKAGES = str(Path(cxone_wfm.__file__).parents[1])


def run_mypy(file: Path, folder: Path) -> tuple[str, str, int]:
    return mypy.api.run(
        [
            "--strict",
            "--config-file=",
            "--no-error-summary",
            f"--cache-dir={folder / 'cache'}",
            str(file),
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all runs, so that the package is read once."""
    return tmp_path_factory.mktemp("typing")


@pytest.fixture(autouse=True)
def packages_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # An installed package is found by its py.typed; one that runs from its sources, by this path.
    if "site-packages" not in PACKAGES:
        monkeypatch.setenv("MYPYPATH", PACKAGES)
    for name in [name for name in os.environ if name.startswith("MYPY_")]:
        monkeypatch.delenv(name)


def test_the_public_names_have_the_types_that_users_rely_on(folder: Path) -> None:
    out, err, code = run_mypy(API, folder)
    assert (out, err, code) == ("", "", 0)


def test_that_test_sees_every_broken_promise(folder: Path) -> None:
    text = API.read_text(encoding="utf-8")
    unmarked = re.sub(r"  # type: ignore\[[^]]*\]", "", text)
    broken = folder / "broken.py"
    broken.write_text(unmarked.replace(" assert_type(", " assert_type(not "), encoding="utf-8")
    out, _, code = run_mypy(broken, folder)
    reported = {int(number) for number in re.findall(r"broken\.py:(\d+): error", out)}
    lines = text.splitlines()
    promised = {n for n, line in enumerate(lines, 1) if "# type: ignore[" in line or " assert_type(" in line}
    assert code == 1
    assert reported == promised
