"""Longer checks than one test run: `nox -l` lists them, `nox -s NAME` runs one."""

import nox

nox.options.sessions = ["lint", "types", "tests"]
PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types of both packages."""
    session.install("-e", ".[dev]")
    session.run("mypy", "--strict", "cxone_wfm", "cxone_assist")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests on every Python that is named in pyproject.toml."""
    session.install("-e", ".[dev]")
    session.run("pytest", *session.posargs)


@nox.session
def floors(session: nox.Session) -> None:
    """All tests with the lowest versions that pyproject.toml allows."""
    session.install("-e", ".[dev]", "-c", "tests/floors.txt")
    session.run("pytest", "--no-cov", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Every fault that the outbox is to survive, in full: about an hour. Needs strace and PostgreSQL."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "faults", "--full", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def benchmarks(session: nox.Session) -> None:
    """How fast the hot paths are, as ratios in one run."""
    session.install("-e", ".[dev]")
    session.run("python", "benchmarks/records.py")
    session.run("python", "benchmarks/imports.py")
    session.run("python", "benchmarks/state_feed.py")
    session.run("python", "benchmarks/aggregation.py")
    session.run("python", "benchmarks/outbox.py")


@nox.session
def mutants(session: nox.Session) -> None:
    """Small faults put into the modules one by one: at least 90 % of them must be noticed. Up to an hour."""
    session.install("-e", ".[dev]", "mutmut>=3.8.1,<4")
    # The order of sets decides in which order tests run.
    environment = {"PYTHONPATH": "tests", "PYTHONHASHSEED": "0"}
    session.run("python", "-m", "mutation", *session.posargs, env=environment)
