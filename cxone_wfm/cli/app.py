"""The commands, their arguments and their help."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from .. import __version__
from ..connector.linting import RULES
from .check import check as run_check
from .import_csv import run_import
from .lint import FailOn, Format, Preset, read_media, read_now, run_lint
from .outbox_app import outboxes
from .output import AsJson, Output
from .replay import read_interval_start, run_replay
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


@contextmanager
def _usage_error(option: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OverflowError) as error:  # a time may be beyond the year 9999
        raise typer.BadParameter(str(error), param_hint=option) from None


@app.command()
def lint(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="JSON files, or - for standard input.")],
    *,
    kind: Annotated[
        Kind | None, typer.Option(help="What the files hold; told by their keys where it is left out.")
    ] = None,
    media: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[QUEUE=]MEDIUM",
            help="The medium of all queues, or of one; may be given for several. One of immediate-response,"
            " deferrable, outbound-campaign, outbound.",
        ),
    ] = None,
    preset: Annotated[
        Preset | None, typer.Option(help="The ACD whose event codes the agent states are to have.")
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="What is later is in the future, such as 2024-04-17T10:00Z; now where it is left out.",
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What the findings are shown as.")] = Format.table,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="From which severity on the command ends with 1.")
    ] = FailOn.error,
) -> None:
    """Find what is probably wrong with reports and agent states.

    The files hold the JSON that the vendor's page shows. Several of them, such as the reports of a day,
    are also compared with one another. The rules that depend on the queues' media need --media, the look-up
    of event codes needs --preset.

    Exits with 0, or with 1 where a finding is as severe as --fail-on says, or with 2 where a file
    cannot be read or is not valid.
    """
    with _usage_error("--media"):
        media_of = read_media(media or [])
    with _usage_error("--now"):
        moment = read_now(now)
    raise typer.Exit(
        run_lint(
            Output.make(as_json=form is not Format.table),
            files,
            kind=kind,
            media=media_of,
            preset=preset,
            now=moment,
            form=form,
            fail_on=fail_on,
        )
    )


@app.command()
def replay(
    *,
    start: Annotated[
        str,
        typer.Option("--from", metavar="TIME", help="The start of the first interval: 2024-04-17T10:00Z."),
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The end of the last interval.")],
    source: Annotated[
        str,
        typer.Option(metavar="MODULE:OBJECT", help="The AcdSource, or what makes one when it is called."),
    ],
    settings: Annotated[
        str, typer.Option(metavar="MODULE:OBJECT", help="The ConnectorSettings of your connector.")
    ],
    send: Annotated[
        bool, typer.Option("--send", help="Send the reports. Without it nothing leaves.")
    ] = False,
    progress: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where to keep what was sent, so that the same command goes on where it was stopped.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Extract intervals of the past once more, and send them.

    It is a dry run unless --send is given: it shows what is in each interval. The modules are also looked
    for in the folder in which the command runs. To send, the settings of CXone come from the environment, as
    for `check`.

    Exits with 0 when every interval has data and, with --send, CXone has confirmed it; else with 1.
    """
    with _usage_error("--from"):
        first = read_interval_start(start)
    with _usage_error("--to"):
        last = read_interval_start(end, after=first)
    raise typer.Exit(
        run_replay(
            Output.make(as_json=as_json),
            start=first,
            end=last,
            source=source,
            settings=settings,
            send=send,
            progress=progress,
        )
    )


@app.command("import")
def import_(
    files: Annotated[list[str], typer.Argument(metavar="CSV", help="Exports of an ACD, by interval.")],
    *,
    mapping: Annotated[
        list[str],
        typer.Option(
            metavar="FILE", help="What the columns mean, in JSON: one for each CSV, in their order."
        ),
    ],
    send: Annotated[
        bool, typer.Option("--send", help="Send the reports. Without it nothing leaves.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="Send in spite of errors of this rule, such as WFM204."),
    ] = None,
    media: Annotated[
        list[str] | None,
        typer.Option(metavar="[QUEUE=]MEDIUM", help="The medium of all queues, or of one: see `lint`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Lint an ACD's CSV exports and send them as reports.

    A line is a row of the queues, of the agents on the queues, or of the agents, in one interval. Exports of
    several kinds, given together, become one report for each interval. It is a dry run unless --send is
    given. Where the lint finds errors nothing is sent: correct the export or the mapping, or --allow the
    rule. The settings of CXone come from the environment, as for `check`.

    Exits with 0 when all is well and, with --send, CXone has confirmed it; with 1 where the lint found
    errors or sending failed; with 2 where a file cannot be read or is not valid.
    """
    with _usage_error("--media"):
        media_of = read_media(media or [])
    if unknown := sorted(set(allow or ()) - {rule.id for rule in RULES}):
        raise typer.BadParameter(f"{', '.join(unknown)}: there is no such rule", param_hint="--allow")
    if len(mapping) != len(files):
        raise typer.BadParameter(
            f"there are {len(files)} CSV files and {len(mapping)} mappings", param_hint="--mapping"
        )
    raise typer.Exit(
        run_import(
            Output.make(as_json=as_json),
            list(zip(files, mapping, strict=True)),
            send=send,
            allow=set(allow or ()),
            media=media_of,
            now=read_now(None),
        )
    )
