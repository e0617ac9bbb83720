"""One target under atheris, which looks for inputs that reach new code: a program of its own.

    python -m fuzz.guided TARGET [options of libFuzzer] [folders of inputs]

atheris ends the process itself, and only code that is imported under its eyes can guide it.
"""

import importlib
import logging
import sys

import atheris


def main() -> None:
    """Run the target until libFuzzer ends it."""
    target = sys.argv.pop(1)
    logging.disable()  # what is logged is not looked at, and there would be much of it
    with atheris.instrument_imports(include=["cxone_wfm", "cxone_assist", "fuzz.targets"]):
        fuzz_one = importlib.import_module(f"fuzz.targets.{target}").fuzz_one
    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
