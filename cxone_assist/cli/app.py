"""The commands, their arguments and their help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from ssl import SSLContext, SSLError, create_default_context
from typing import Annotated

import typer
from attrs import evolve
from typer.models import OptionInfo

from ..messages import WebSocketHookInitializeMessage
from ..testing import init_message, negotiated_init
from .output import Output

app = typer.Typer(
    name="cxone-assist",
    help="Receive CXone's Custom Agent Assist audio. Try `cxone-assist demo` first: it needs no account.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text for people.")]
Url = Annotated[str, typer.Argument(help="The endpoint: ws://host:port/path, or wss://.")]
Token = Annotated[
    str,
    typer.Option(envvar="CXONE_ASSIST_TOKEN", help="What goes into authenticationToken.", show_envvar=True),
]
BusNo = Annotated[int, typer.Option(help="The business unit.")]
ContactId = Annotated[int, typer.Option(help="The contact.")]

Ca = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, readable=True, help="For wss://: trust the certificates in this file."
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxone-wfm-sdk {installed_version('cxone-wfm-sdk')}")
        raise typer.Exit


@contextmanager
def _extras_needed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _init(token: str, bus_no: int, contact_id: int, dialect: str) -> WebSocketHookInitializeMessage:
    makers = {"documented": init_message, "negotiated": negotiated_init}
    if dialect not in makers:
        raise ValueError("the dialect is documented or negotiated")
    init = makers[dialect]()
    info = evolve(init.execution_info, bus_no=bus_no, contact_id=contact_id)
    return evolve(init, authentication_token=token, execution_info=info)


def _tls(output: Output, ca: Path | None) -> SSLContext | None:
    """Return what to trust, None for what the system trusts."""
    try:
        return None if ca is None else create_default_context(cafile=ca)
    except SSLError:
        output.failure(f"{ca} holds no certificates in PEM form")
        raise typer.Exit(4) from None


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def _directory(help_text: str) -> OptionInfo:
    option: OptionInfo = typer.Option(exists=True, file_okay=False, writable=True, help=help_text)
    return option


def _file(help_text: str) -> OptionInfo:
    option: OptionInfo = typer.Option(exists=True, dir_okay=False, readable=True, help=help_text)
    return option


@app.command()
def demo(
    directory: Annotated[Path | None, _directory("Where the WAV goes; else a new temporary one.")] = None,
    as_json: AsJson = False,
) -> None:
    """See a whole call on this machine; needs no account.

    Starts an endpoint and a CXone on loopback. CXone plays a call of 20 seconds 10 times faster, with a
    hold and with connections that drop; the endpoint records it. Exits with 0 only where the recording
    holds what was played, sample for sample, on both sides, and silence where the call was on hold.
    """
    with _extras_needed():
        from .demo import demo as run_demo  # here, for it needs the extra `server`  # noqa: PLC0415
    raise typer.Exit(run_demo(Output.make(as_json=as_json), directory))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8080,
    token: Annotated[
        list[str] | None, typer.Option(help="A token that is accepted; may be given again.")
    ] = None,
    record: Annotated[Path | None, _directory("Record every call into this directory.")] = None,
    capture: Annotated[Path | None, _directory("Capture every stream into a .cxcap file here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run an endpoint to develop with, until Ctrl-C, and show what arrives.

    Recordings and captures hold what was said: mind who may read them.
    """
    with _extras_needed():
        from .serve import serve as run_serve  # here, for it needs the extra `server`  # noqa: PLC0415
    output = Output.make(as_json=as_json)
    raise typer.Exit(
        run_serve(output, host=host, port=port, tokens=token or (), directory=record, captures=capture)
    )


@app.command()
def call(
    url: Url,
    wav: Annotated[Path | None, _file("What the contact says; of a stereo file, left. Else tones.")] = None,
    agent_wav: Annotated[Path | None, _file("What the agent says.")] = None,
    hold: Annotated[
        list[str] | None, typer.Option(help="FROM:TO, in seconds of the call; may be given again.")
    ] = None,
    silent_hold: Annotated[
        bool, typer.Option("--silent-hold", help="A hold keeps the sockets open.")
    ] = False,
    drop: Annotated[
        list[float] | None, typer.Option(help="When to cut the connections; may be given again.")
    ] = None,
    scenario: Annotated[Path | None, _file("A scenario file, in place of the four above.")] = None,
    dialect: Annotated[str, typer.Option(help="documented or negotiated.")] = "documented",
    rate: Annotated[str, typer.Option(help="Times faster than real, or max.")] = "1.0",
    seed: Annotated[int, typer.Option(help="Of what a scenario leaves to chance.")] = 0,
    token: Token = "",
    ca: Ca = None,
    bus_no: BusNo = 4602609,
    contact_id: ContactId = 506314056968,
    as_json: AsJson = False,
) -> None:
    """Play a call to an endpoint, as CXone would.

    The endpoint takes it for a real call, and so does all that is behind it. Exits with 0 where all
    went well, 1 where an expectation was not met, 2 without CONNECTED, 3 where the endpoint broke the
    protocol, 4 where the call cannot be played, 5 where the endpoint cannot be reached.
    """
    with _extras_needed():
        from .call import call as run_call  # here, for it needs the extra `server`  # noqa: PLC0415
        from .call import read_audio  # likewise  # noqa: PLC0415
    output = Output.make(as_json=as_json)
    try:
        audio = read_audio(wav, agent_wav)
        init = _init(token, bus_no, contact_id, dialect)
    except ValueError as error:
        output.failure(str(error))
        raise typer.Exit(4) from None
    code = run_call(
        output,
        url,
        init=init,
        ssl=_tls(output, ca),
        audio=audio,
        scenario=scenario,
        holds=hold or (),
        drops=drop or (),
        silent_hold=silent_hold,
        rate=rate,
        seed=seed,
    )
    raise typer.Exit(code)


@app.command()
def check(
    url: Url,
    junit: Annotated[Path | None, typer.Option(dir_okay=False, help="Write JUnit XML here, too.")] = None,
    silence: Annotated[
        float, typer.Option(min=0, help="Seconds of silence, as on hold, that must not close a stream.")
    ] = 1.0,
    token: Token = "",
    ca: Ca = None,
    bus_no: BusNo = 4602609,
    contact_id: ContactId = 506314056968,
    as_json: AsJson = False,
) -> None:
    """Check whether an endpoint does what CXone needs, and say what to do where it does not.

    It plays many short streams; the endpoint takes them for real. Exits with 0 where nothing failed, 1
    where something did, 4 where the JUnit XML cannot be written, 5 where the endpoint cannot be reached.
    """
    with _extras_needed():
        from .check import check as run_check  # here, for it needs the extra `server`  # noqa: PLC0415
    output = Output.make(as_json=as_json)
    init = _init(token, bus_no, contact_id, "documented")
    code = run_check(output, url, init=init, ssl=_tls(output, ca), silence=silence, junit_file=junit)
    raise typer.Exit(code)


@app.command()
def load(
    url: Annotated[
        str | None,
        typer.Argument(help="The endpoint; else one of ours on this machine, with delivery times."),
    ] = None,
    streams: Annotated[
        int, typer.Option(min=1, help="How many at once; a call of both sides has two.")
    ] = 100,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    ramp: Annotated[
        int | None,
        typer.Option(min=1, help="Add so many again and again, until something is lost or late."),
    ] = None,
    token: Token = "",
    ca: Ca = None,
    as_json: AsJson = False,
) -> None:
    """Load an endpoint with streams of 160 bytes every 20 ms, and tell what it took.

    Exits with 0 where nothing was lost, and as far as can be told nothing late, with --ramp in the first
    run at least; 1 where something was, 5 where the endpoint refuses streams or cannot be reached.
    """
    with _extras_needed():
        from .load import load as run_load  # here, for it needs the extra `server`  # noqa: PLC0415
    output = Output.make(as_json=as_json)
    init = _init(token, 4602609, 0, "documented")
    ssl = _tls(output, ca)
    raise typer.Exit(run_load(output, url, init=init, ssl=ssl, streams=streams, seconds=seconds, ramp=ramp))


@app.command()
def replay(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="The .cxcap files of a call.")
    ],
    to: Annotated[str | None, typer.Option(help="The endpoint to play them to, one after the other.")] = None,
    speed: Annotated[float, typer.Option(min=0.01, help="How many times faster than they came.")] = 1.0,
    record: Annotated[Path | None, _directory("Without --to: record the call here.")] = None,
    ca: Ca = None,
    as_json: AsJson = False,
) -> None:
    """Play captures again: to an endpoint, or straight into calls, which waits for nothing.

    Exits with 0, with 1 where a recording stopped early, with 4 where a file is no capture, with 5 where the
    endpoint cannot be reached.
    """
    with _extras_needed():
        from .replay import replay as run_replay  # here, for it needs the extra `server`  # noqa: PLC0415
    output = Output.make(as_json=as_json)
    ssl = _tls(output, ca)
    raise typer.Exit(run_replay(output, files, url=to, ssl=ssl, speed=speed, directory=record))
