"""The command `cxone-assist` (extras `cli` and `server`)."""

import io
import sys


def main() -> None:
    """Run the command; without its extras, say in one line what to install."""
    try:
        import rich  # noqa: F401, PLC0415 - to see whether it is there
        import typer  # noqa: F401, PLC0415 - to see whether it is there
    except ImportError:
        sys.exit('cxone-assist needs its extras: python -m pip install "cxone-wfm-sdk[server,cli]"')
    from .app import app  # here, for it needs the extras  # noqa: PLC0415

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding lacks must not end the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    app(prog_name="cxone-assist")
