"""What MkDocs does with our pages beyond its own.

Links that leave docs/ lead to the repository, and no page asks another host for anything.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
_FOREIGN = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*\shref=["']?(?:https?:)?//"""
)
_LINK = re.compile(r"(?<=\]\()\.\./[^)#\s]+")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Turn `../../examples/x.py` into its address in the repository. Raises where there is no such file."""
    folder = Path(page.file.abs_src_path or "").parent

    def address(link: re.Match[str]) -> str:
        target = (folder / link[0]).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        if not target.exists():
            raise PluginError(f"{page.file.src_uri}: {link[0]} leads nowhere")
        return f"{config.repo_url}/blob/main/{target.relative_to(ROOT).as_posix()}"

    return _LINK.sub(address, markdown)


def on_post_page(output: str, *, page: Page, **_: object) -> str:
    """Raise where a page would load something from another host."""
    if found := _FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri} loads something from another host: {found[0]}")
    return output
