"""mutmut on one part, in the folder `mutants`: `python -m mutation.run_mutmut PART CHILDREN [MUTANT ...]`."""

import sys

from mutmut.__main__ import cli
from mutmut.configuration import config

from mutation.parts import PARTS

name, children, *mutants = sys.argv[1:]
part = next(part for part in PARTS if part.name == name)
settings = config()
settings.only_mutate = list(part.modules)
settings.pytest_add_cli_args_test_selection = list(part.tests)
settings.pytest_add_cli_args += [f"--deselect={test}" for test in part.leave_out]
if part.keywords:
    settings.pytest_add_cli_args += ["-k", part.keywords]
cli(["run", "--max-children", children, *mutants])
