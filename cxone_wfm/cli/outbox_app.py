"""`cxone-wfm outbox ...`: the commands, their arguments and their help."""

from typing import Annotated

import typer

from . import durable, outbox
from .outbox import Fate, KindName
from .output import AsJson, Output

outboxes = typer.Typer(
    help="Look into an outbox, and decide what becomes of its dead letters.\n\n"
    "An outbox is the path of a file, or postgresql://... (without a password: set PGPASSWORD). Looking works"
    " while another process has it open; `requeue`, `purge` and `drain` need a file for themselves.\n\n"
    "Exit codes: 0 done. 1 failed, and why. 2 the command was not understood. 3 something is still pending."
    " 4 nothing is pending, and something died.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

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
    letter the reason, the HTTP status, and whether it possibly arrived.
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
