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
def bench(session: nox.Session) -> None:
    """How fast the hot paths are, as ratios in one run; `-- --full` for the large sizes."""
    session.install("-e", ".[dev,bench]")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Any bytes into all that reads, for a minute; `-- --seconds 600` for ten."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pip", "install", "-q", "atheris", success_codes=[0, 1])
    session.run("python", "-m", "fuzz", *session.posargs)
