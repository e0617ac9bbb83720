"""The commands, their arguments and their help."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from .. import __version__
from . import durable, outbox
from .check import check as run_check
from .outbox import Fate, KindName
from .output import Output
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

outboxes = typer.Typer(
    help="Look into an outbox, and decide what becomes of its dead letters.\n\n"
    "An outbox is the path of a file, or postgresql://... (without a password: set PGPASSWORD). Looking works"
    " while another process has it open; `requeue`, `purge` and `drain` need a file for themselves.\n\n"
    "Exit codes: 0 done. 1 failed, and why. 2 the command was not understood. 3 something is still pending."
    " 4 nothing is pending, and something died.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(outboxes, name="outbox")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text for people.")]


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


Url = Annotated[
    str, typer.Argument(metavar="OUTBOX", help="The path of a file, or postgresql://HOST/DATABASE.")
]
WhichFate = Annotated[Fate, typer.Argument(metavar="pending|dead", help="Which events.")]


@outboxes.command()
def status(url: Url, as_json: AsJson = False) -> None:
    """Show what is pending, what is dead, and whose it is."""
    raise typer.Exit(outbox.status(Output.make(as_json=as_json), url))


@outboxes.command("list")
def list_events(
    url: Url,
    fate: WhichFate = Fate.pending,
    *,
    kind: Annotated[
        KindName | None,
        typer.Option(help="Of this kind. Pending events are listed one kind at a time: the first there is."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Dead letters of this reason.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Beyond this number, as the last page tells.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="So many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List a page of pending or dead events, one in a line.

    A line has the event's number, its id, its age, its stream with its number there, and for a dead
    letter the reason and the HTTP status.
    """
    if fate is Fate.pending and reason is not None:
        raise typer.BadParameter("only dead letters have a --reason")
    raise typer.Exit(
        outbox.list_events(
            Output.make(as_json=as_json),
            url,
            fate,
            kind=None if kind is None else kind.kind,
            reason=reason,
            after=after,
            limit=limit,
        )
    )


@outboxes.command()
def show(
    url: Url,
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The event's id.")],
    as_json: AsJson = False,
) -> None:
    """Show one pending or dead event with its payload."""
    raise typer.Exit(outbox.show(Output.make(as_json=as_json), url, event_id))


@outboxes.command()
def export(url: Url, fate: WhichFate = Fate.dead) -> None:
    """Print events as JSON, one in a line. The payload is what was accepted, to the byte.

    It holds personal data: mind who can read the file that you direct it to.
    """
    raise typer.Exit(outbox.export(Output.make(as_json=False), url, fate))


EventIds = Annotated[list[str] | None, typer.Argument(metavar="EVENT_ID", help="Ids of dead letters.")]


@outboxes.command()
def requeue(
    url: Url,
    event_ids: EventIds = None,
    reason: Annotated[str | None, typer.Option(help="All dead letters of this reason.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give dead letters another chance, at the ends of their streams.

    So an old state may go out after newer ones of its agent: requeue states only where none came after.
    """
    if bool(event_ids) == (reason is not None):
        raise typer.BadParameter("name the ids of dead letters, or a --reason")
    raise typer.Exit(outbox.requeue(Output.make(as_json=as_json), url, event_ids or [], reason))


@outboxes.command()
def purge(
    url: Url,
    event_ids: EventIds = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="All dead letters; needs --yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, delete them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good: export them first."""
    if bool(event_ids) == all_dead:
        raise typer.BadParameter("name the ids of dead letters, or --all-dead")
    if all_dead and not yes:
        raise typer.BadParameter("--all-dead deletes all of them for good; say --yes if you mean it")
    raise typer.Exit(outbox.purge(Output.make(as_json=as_json), url, event_ids or []))


@outboxes.command()
def drain(
    url: Url,
    timeout: Annotated[
        float | None, typer.Option(min=0.0, help="At most so many seconds; without it until nothing is left.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send what is pending. The settings come from the environment, as for the command `check`.

    Ctrl-C or SIGTERM lets requests on their way end, and keeps the rest; the second one ends at once.

    Exits with 0 when everything was delivered, with 3 where something is still pending, with 4 where
    nothing is and something died, and with 1 where it could not be done.
    """
    raise typer.Exit(durable.drain(Output.make(as_json=as_json), url, timeout))
