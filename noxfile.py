"""Longer checks than one test run: `nox -l` lists them, `nox -s NAME` runs one."""

import os
import shutil
import tarfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "contracts", "tests"]
PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
EXTRAS = ",".join(extra for extra in PROJECT["project"]["optional-dependencies"] if extra != "dev")


def group(name: str) -> tuple[str, ...]:
    """What a dependency group of pyproject.toml names."""
    return nox.project.dependency_groups(PROJECT, name)


def distributions(session: nox.Session) -> tuple[Path, Path]:
    """The sdist and the wheel: those in the folder that DIST names, or built here."""
    folder = Path(os.environ.get("DIST") or session.create_tmp()).resolve()
    if "DIST" not in os.environ:
        shutil.rmtree(folder)
        session.install("build")
        session.run("python", "-m", "build", "--outdir", folder, ".", silent=True)
    (sdist,) = folder.glob("cxone_wfm_sdk-*.tar.gz")
    (wheel,) = folder.glob("cxone_wfm_sdk-*.whl")
    return sdist, wheel


def go_where_the_tests_are(session: nox.Session, sdist: Path) -> None:
    """Into the unpacked sdist without its packages: what is imported there is what was installed."""
    folder = Path(session.create_tmp(), "sdist")
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    for package in ("cxone_wfm", "cxone_assist"):
        shutil.rmtree(source / package)
    session.chdir(source)


def install_for_users(session: nox.Session, wheel: Path) -> Path:
    """The wheel with all its extras, and nothing besides, in an environment of its own."""
    environment = Path(session.create_tmp(), "environment")
    session.run("python", "-m", "venv", "--clear", "--without-pip", environment)
    session.run("python", "-m", "pip", "--python", environment, "install", "-q", f"{wheel}[{EXTRAS}]")
    return environment


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting of the code; the workflows, for what weakens them."""
    session.install("-e", ".[dev]", *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("zizmor", "--offline", "--persona=pedantic", ".github")
    session.run("validate-pyproject", "pyproject.toml")


@nox.session
def types(session: nox.Session) -> None:
    """Types of both packages, and of their use in tests/typing: mypy, and pyright."""
    session.install("-e", ".[dev]", *group("types"))
    session.run("mypy", "--strict", "cxone_wfm", "cxone_assist", "tests/typing")
    session.run("pyright")


@nox.session
def contracts(session: nox.Session) -> None:
    """What may import what, in .importlinter; dependencies that are unused, or used and not named."""
    session.install("-e", ".[dev]", *group("contracts"))
    session.run("lint-imports", "--no-logo")
    session.run("deptry", ".")


@nox.session
def build(session: nox.Session) -> None:
    """The sdist and the wheel, into dist/: twice, the same bytes, sound, and with both packages."""
    session.install(*group("build"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", ".ci/build.py", "dist")
    built = [str(path) for path in Path("dist").iterdir()]
    session.run("twine", "check", "--strict", *built)
    session.run("check-wheel-contents", "--toplevel", "cxone_wfm,cxone_assist", "dist")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests on every Python that pyproject.toml names: those of the sdist, on the wheel."""
    sdist, wheel = distributions(session)
    session.install(f"{wheel}[dev]")
    go_where_the_tests_are(session, sdist)
    session.run("pytest", *session.posargs)


@nox.session
def floors(session: nox.Session) -> None:
    """All tests with the lowest versions that pyproject.toml allows."""
    session.install("-e", ".[dev]", "-c", "tests/floors.txt")
    session.run("pytest", "--no-cov", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities in what a user installs. Asks PyPI's advisory service."""
    session.install(*group("audit"))
    _, wheel = distributions(session)
    environment = install_for_users(session, wheel)
    # Ours is published afterwards at the earliest, and --strict refuses what the service does not know.
    session.run("python", "-m", "pip", "--python", environment, "uninstall", "-q", "-y", "cxone-wfm-sdk")
    (packages,) = {*environment.rglob("site-packages")}
    session.run("pip-audit", "--strict", "--path", packages, *session.posargs)


@nox.session
def sbom(session: nox.Session) -> None:
    """What a user installs, as a CycloneDX bill of materials: build/sbom.cdx.json."""
    session.install(*group("sbom"))
    _, wheel = distributions(session)
    environment = install_for_users(session, wheel)
    # The tool reads no version that the build backend finds.
    project = Path(session.create_tmp(), "pyproject.toml")
    text = Path("pyproject.toml").read_text(encoding="utf-8")
    version = wheel.name.split("-")[1]
    project.write_text(text.replace('dynamic = ["version"]', f'version = "{version}"'), encoding="utf-8")
    output = Path("build/sbom.cdx.json")
    output.parent.mkdir(exist_ok=True)
    options = [
        "--output-reproducible",
        "--mc-type=library",
        f"--pyproject={project}",
        f"--output-file={output}",
    ]
    session.run("cyclonedx-py", "environment", *options, environment)


@nox.session
def faults(session: nox.Session) -> None:
    """Every fault that the outbox is to survive, in full: about an hour. Needs strace and PostgreSQL."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "faults", "--full", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation's site, into build/site. A warning or a link that leads nowhere is an error."""
    session.install("-e", ".[simulator,server,cli,postgres]", *group("docs"))
    quiet = {"NO_MKDOCS_2_WARNING": "1"}  # an advertisement, not a warning
    session.run("mkdocs", "build", "--strict", "-f", "docs/site/mkdocs.yml", *session.posargs, env=quiet)


@nox.session
def bench(session: nox.Session) -> None:
    """How fast the hot paths are, as ratios in one run; `-- --full` for the large sizes."""
    session.install("-e", ".[dev]", *group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Any bytes into all that reads, for a minute; `-- --seconds 600` for ten."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pip", "install", "-q", "atheris", success_codes=[0, 1])
    session.run("python", "-m", "fuzz", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Small faults put into the modules one by one: at least 90 % of them must be noticed. Up to an hour."""
    session.install("-e", ".[dev]", *group("mutants"))
    # The order of sets decides in which order tests run.
    environment = {"PYTHONPATH": "tests", "PYTHONHASHSEED": "0"}
    session.run("python", "-m", "mutation", *session.posargs, env=environment)
