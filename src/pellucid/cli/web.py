"""`pellucid web`: the page and the HTTP API on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from pellucid.cli.console import say

HELP = """Serve the web page and the HTTP API, on this machine only unless told otherwise.

Nothing that is sent is kept, and nothing is sent anywhere else.
"""

EVERYWHERE = {"0.0.0.0", "::"}

app = typer.Typer(add_completion=False)


@app.command(help=HELP)
def web(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Name in the address that people type, if it is not this machine's own.",
        ),
    ] = None,
    max_megapixels: Annotated[int, typer.Option(min=1, help="Largest photo.")] = 100,
    max_megabytes: Annotated[int, typer.Option(min=1, help="Largest request.")] = 100,
    waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait.")] = 16,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads. Default: all, 8 at most.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve until interrupted."""
    from pellucid.separator import Separator
    from pellucid.service.app import create_app
    from pellucid.service.serve import listen, serve
    from pellucid.service.settings import ServiceSettings

    own = () if host in EVERYWHERE else (f"[{host}]" if ":" in host else host,)
    settings = ServiceSettings(
        hosts=(*own, *(allow_host or ())),
        max_bytes=max_megabytes * 1_000_000,
        max_pixels=max_megapixels * 1_000_000,
        waiting=waiting,
    )
    listener = listen(host, port)
    address = f"http://{own[0] if own else 'localhost'}:{listener.getsockname()[1]}"
    say(f"Pellucid is at {address} (Ctrl-C ends it)")
    if show:
        import webbrowser

        webbrowser.open(address)
    serve(create_app(lambda: Separator.load(threads=threads), settings), listener)
