"""Every seed of the fuzzing passes through its target, and the search finds a fault that is there."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import fuzz  # noqa: E402 - its folder is no installed package
from fuzz.random_inputs import search  # noqa: E402

SEEDS = [(name, seed) for name in fuzz.TARGETS for seed in fuzz.seeds(name)]


def test_every_target_has_seeds_and_every_folder_of_seeds_its_target() -> None:
    assert {name for name, _ in SEEDS} == set(fuzz.TARGETS)
    assert {path.name for path in (ROOT / "fuzz" / "corpus").iterdir()} == set(fuzz.TARGETS)


@pytest.mark.parametrize(("name", "seed"), SEEDS, ids=[f"{name}/{seed}" for name, seed in SEEDS])
def test_a_seed_breaks_no_promise(name: str, seed: str) -> None:
    fuzz.target(name)(fuzz.seeds(name)[seed])


def test_the_search_without_atheris_finds_a_fault_and_keeps_a_small_input_that_shows_it(
    tmp_path: Path,
) -> None:
    def target(data: bytes) -> None:
        if b"9" in data and b"{" in data:
            raise ValueError("both")

    told = search(target, [b'{"a":1}', b"9"], 60.0, tmp_path)
    (kept,) = tmp_path.iterdir()
    assert told is not None
    assert told.startswith("ValueError: both")
    assert kept.name.startswith("crash-")
    with pytest.raises(ValueError, match="both"):
        target(kept.read_bytes())
    assert len(kept.read_bytes()) < 10


def test_the_search_without_atheris_ends_where_nothing_is_wrong(tmp_path: Path) -> None:
    assert search(lambda data: None, [b"x"], 0.01, tmp_path) is None
    assert list(tmp_path.iterdir()) == []
