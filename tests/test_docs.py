"""What the documentation says of names and defaults is so, and its links and pictures hold.

That its snippets run is in `test_snippets`.
"""

import html
import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest

import cxone_assist
import cxone_wfm
from cxone_wfm.config import Endpoints, WfmConfig, _optional

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONFIGURATION = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("variable", sorted(_optional()))
def test_every_variable_of_the_environment_is_documented(variable):
    assert f"`{variable}`" in CONFIGURATION
    assert variable in WfmConfig.from_env.__doc__ or variable.startswith("CXONE_ROUTE_")


@pytest.mark.parametrize("operation", attrs.fields(Endpoints), ids=lambda each: each.name)
def test_every_route_is_documented_with_its_default(operation):
    route = operation.default
    line = next(line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{operation.name}`"))
    assert f"`CXONE_ROUTE_{operation.name.upper()}`" in line
    assert f"`{route.method} {route.path}`" in line


def test_every_error_is_in_the_table_of_what_to_do():
    text = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    names = [name for name in cxone_wfm.__all__ if name.endswith("Error")]
    assert names
    assert [name for name in names if f"`{name}`" not in text] == []


EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def prose_of(page):
    """The text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def links_of(page):
    return re.findall(r"\]\(([^)\s]+)\)", prose_of(page))


def anchors_of(page):
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    words = [
        re.sub(r"[^\w\s-]", "", re.sub(r"\]\([^)]*\)", "", heading)).strip().lower() for heading in headings
    ]
    return {re.sub(r"[-\s]+", "-", each) for each in words}


@EVERY_PAGE
def test_every_link_to_a_file_leads_somewhere(page):
    targets = [link.partition("#") for link in links_of(page) if "://" not in link]
    assert [path for path, _, _ in targets if path and not (page.parent / path).exists()] == []
    wanted = [(page.parent / path if path else page, anchor) for path, _, anchor in targets if anchor]
    assert [(to.name, anchor) for to, anchor in wanted if anchor not in anchors_of(to)] == []


@EVERY_PAGE
def test_every_link_to_another_host_is_well_formed(page):
    for link in links_of(page):
        if "://" in link:
            parts = urlsplit(link)
            assert parts.scheme == "https", link
            assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc), link
            assert parts.geturl() == link


def test_every_page_and_every_picture_is_reached_from_another():
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links_of(page)}
    pictures = sorted((DOCS / "pictures").iterdir())
    in_navigation = (DOCS / "site/mkdocs.yml").read_text(encoding="utf-8")
    pages = [page for page in PAGES if page.is_relative_to(DOCS)]
    assert [page for page in pages if page.relative_to(DOCS).as_posix() not in in_navigation] == []
    assert [picture.name for picture in pictures if picture not in linked] == []


@pytest.mark.parametrize("picture", sorted((DOCS / "pictures").iterdir()), ids=lambda path: path.name)
def test_a_picture_is_small_and_asks_no_other_host(picture):
    svg = picture.read_text(encoding="utf-8")
    assert len(svg) < 60_000
    assert re.findall(r"""(?:href|src)=.{0,30}|url\(["']?(?!#).{0,30}|@import""", svg) == []


def first_program(heading):
    """The first program of the README under this heading."""
    text = (ROOT / "README.md").read_text("utf-8")
    block = re.search(rf"^## {heading}\n.*?```python\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    return block[1]


@pytest.mark.parametrize(("heading", "most"), [("A program", 15), ("A connector", 12)])
def test_a_program_of_the_readme_is_short(heading, most):
    assert len([line for line in first_program(heading).splitlines() if line.strip()]) <= most


# The reference


def public_modules():
    """Every module that may be imported by name, but those of the commands: they have a page of their own."""
    for package in (cxone_wfm, cxone_assist):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".cli" not in found.name and "._" not in found.name:
                yield importlib.import_module(found.name)


def in_the_reference():
    """Path -> object, for each `::: path` in the reference."""
    pages = (DOCS / "reference/api").glob("*.md")
    paths = [
        path for page in pages for path in re.findall(r"^::: (\S+)", page.read_text("utf-8"), re.MULTILINE)
    ]
    assert [path for path, times in Counter(paths).items() if times > 1] == []
    return {path: getattr(importlib.import_module(module), name) for path, module, name in map(split, paths)}


def split(path):
    module, _, name = path.rpartition(".")
    return path, module, name


def test_every_public_name_is_in_the_reference_once():
    told = Counter((path.rpartition(".")[2], id(found)) for path, found in in_the_reference().items())
    public = {
        (name, id(getattr(module, name))): f"{module.__name__}.{name}"
        for module in public_modules()
        for name in getattr(module, "__all__", ())
    }
    assert len(public) > 250
    assert {path: told[key] for key, path in public.items() if told[key] != 1} == {}


def test_the_reference_tells_of_public_names_only():
    for path in in_the_reference():
        module = importlib.import_module(path.rpartition(".")[0])
        assert path.rpartition(".")[2] in getattr(module, "__all__", [path.rpartition(".")[2]]), path
        assert "._" not in path


@pytest.fixture(scope="module")
def made_from_code():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "site")
        yield importlib.import_module("made_from_code")


def test_what_pages_show_of_the_code_is_what_the_code_says(made_from_code):
    told = Counter()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert made_from_code.updated(text) == text, f"{page.name}: run docs/site/made_from_code.py"
        told.update(made_from_code.parts_of(text))
    assert told == Counter(list(made_from_code.PARTS))


def test_diagrams_are_of_the_code_as_it_is(made_from_code):
    for name, make in made_from_code.diagrams.DIAGRAMS.items():
        svg = (DOCS / f"pictures/{name}.svg").read_text(encoding="utf-8")
        assert html.unescape(made_from_code.diagrams.drawn_from(svg)) == make(), "run docs/site/diagrams.py"


def test_the_picture_of_a_day_is_what_the_simulator_holds(made_from_code):
    picture = importlib.import_module("interval_day").picture()
    assert (DOCS / "pictures/interval-day.svg").read_text("utf-8") == picture, "run docs/site/pictures.py"


@pytest.mark.parametrize("command", ["cxone_wfm", "cxone_assist"])
def test_the_command_line_page_has_every_name_that_the_command_takes(command):
    typer = importlib.import_module("typer.main")
    page = (DOCS / "reference/command-line.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (.+?)\n(.*?)(?=^### |^<!-- |\Z)", page, re.DOTALL | re.MULTILINE))

    def check(called, found):
        for name, inner in getattr(found, "commands", {}).items():
            check(f"{called} {name}", inner)
            options = {
                opt for each in inner.params for opt in (*each.opts, *each.secondary_opts) if opt[0] == "-"
            }
            told = set(re.findall(r"(?<=`)--[a-z-]+(?=`)", sections[f"{called} {name}"]))
            assert options - {"--help"} == told, f"{called} {name}"

    check(command.replace("_", "-"), typer.get_command(importlib.import_module(f"{command}.cli.app").app))
