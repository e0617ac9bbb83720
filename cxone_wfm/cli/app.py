"""The commands, their arguments and their help."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from .. import __version__
from .check import check as run_check
from .outbox_app import outboxes
from .output import AsJson, Output
from .send import Kind
from .send import send as run_send

app = typer.Typer(
    name="cxone-wfm",
    help="Push a third-party ACD's data into CXone WFM. Try `cxone-wfm demo` first; it needs no account.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(outboxes, name="outbox")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxone-wfm-sdk {__version__}")
        raise typer.Exit


@contextmanager
def _simulator_needed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(as_json: AsJson = False) -> None:
    """See everything at work on a local CXone WFM; needs no account.

    Starts a simulator on this machine, logs in, refreshes, looks the ACD types up, beats, sends the
    vendor page's sample data, is refused once, recovers once, and compares what was sent with what
    the server holds. Exits with 0 only where they are equal.
    """
    with _simulator_needed():
        from .demo import demo as run_demo  # here, for it needs the extra `simulator`  # noqa: PLC0415
    raise typer.Exit(run_demo(Output.make(as_json=as_json)))


@app.command()
def simulate(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = 0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    token_life: Annotated[int, typer.Option(min=1, help="How long a token lives, in seconds.")] = 3600,
    one_time_refresh: Annotated[
        bool, typer.Option("--one-time-refresh", help="A refresh token works only once.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a local CXone WFM to develop against, until Ctrl-C.

    Prints the settings to use with it. What it received can be read at /__simulator__/received.
    """
    with _simulator_needed():
        from .simulate import simulate as run_simulate  # here, for it needs the extra  # noqa: PLC0415
    raise typer.Exit(
        run_simulate(
            Output.make(as_json=as_json),
            host=host,
            port=port,
            token_life=token_life,
            one_time_refresh=one_time_refresh,
        )
    )


@app.command()
def check(as_json: AsJson = False) -> None:
    """Check the settings step by step, from the token to a heartbeat.

    The settings come from the environment. Four are needed: CXONE_BASE_URL, CXONE_TENANT,
    CXONE_ACCESS_KEY_ID and CXONE_ACCESS_KEY_SECRET. The paths of CXone WFM are assumptions: where
    a step fails with 404, ask NICE for yours and set them, such as
    CXONE_ROUTE_HEARTBEAT="POST /some/path".

    Exits with 0 where all works, else with 1 and says what to do.
    """
    raise typer.Exit(run_check(Output.make(as_json=as_json)))


@app.command()
def send(
    kind: Annotated[Kind, typer.Argument(help="What the file holds.")],
    file: Annotated[str, typer.Argument(help="A JSON file, or - for standard input.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only validate, and print what would go out.")
    ] = False,
    outbox_url: Annotated[
        str | None,
        typer.Option("--outbox", metavar="OUTBOX", help="Accept it into this outbox first, then send."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.0, help="With --outbox: how long to send, in seconds.")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send a report or agent states from a file.

    The file holds the JSON that the vendor's page shows. States may also be one JSON object a line.
    The settings come from the environment, as for the command `check`; --dry-run needs none.

    Exits with 0 when CXone has confirmed everything, else with 1 and says what is wrong. With --outbox
    also with 3: all of it is on the disk, and something is pending still; or with 4: something died.
    """
    if dry_run and outbox_url is not None:
        raise typer.BadParameter("--dry-run accepts nothing into an outbox")
    output = Output.make(as_json=as_json)
    raise typer.Exit(run_send(output, kind, file, dry_run=dry_run, outbox=outbox_url, timeout=timeout))
