"""The command `cxone-wfm`, run in this process or in one of its own."""

import json
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from typer.testing import CliRunner

import cxone_wfm
from cxone_wfm import WfmConfig
from cxone_wfm.cli.app import app

PACKAGE_FOLDER = str(Path(cxone_wfm.__file__).parents[1])
START = f"import sys; sys.path.insert(0, {PACKAGE_FOLDER!r})\nfrom cxone_wfm.cli import main\nmain()"


@attrs.frozen
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """The one JSON document that was printed."""
        assert self.err == ""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


def run(*arguments: str, stdin: bytes = b"") -> Done:
    """Run the command in this process."""
    result = CliRunner().invoke(app, list(arguments), input=stdin, prog_name="cxone-wfm")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def start(*arguments: str, before: str = "", stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    """Start the command in a process of its own. `before` is Python that runs first."""
    command = [sys.executable, "-c", f"{before}\n{START}", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True)


def use(settings: WfmConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the settings into the environment."""
    for name, value in {
        "CXONE_BASE_URL": settings.base_url,
        "CXONE_TENANT": settings.tenant_name,
        "CXONE_ACCESS_KEY_ID": settings.access_key_id.reveal(),
        "CXONE_ACCESS_KEY_SECRET": settings.access_key_secret.reveal(),
    }.items():
        monkeypatch.setenv(name, value)
