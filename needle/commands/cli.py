"""The ``needle`` command: options in, one line out for every error that a user can cause.

Nothing heavy is imported here: each command imports what it needs, so that help is quick.
"""

import difflib
import errno
import gc
import os
import sys
from typing import NoReturn

import click

from needle import __version__
from needle.commands import cli_asking, cli_results, cli_setup
from needle.words.errors import NeedleError, UsageError

EXIT_USAGE, EXIT_STOPPED, EXIT_INTERRUPTED = 2, 3, 130


class Commands(click.Group):
    """The commands in the order in which a user meets them; a misspelt one is told the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order in which they are written down."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command; raise UsageError with the nearest name for an unknown one."""
        if args and args[0] not in self.commands:
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "needle --help lists them"
            raise UsageError(f"no command {args[0]!r}: {advice}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="needle")
def cli() -> None:
    """Put a needle into English and Chinese haystacks, and see which models find it.

    \b
    needle run --model moonshot-v1-128k     from a model's name to two heatmaps
    needle plan --model moonshot-v1-128k    the same, but sends nothing
    """  # noqa: D301 - click keeps the lines after a real \b as they are


for _command in (
    cli_asking.run,
    cli_asking.plan,
    cli_asking.sweep,
    cli_asking.resume,
    cli_asking.prompt,
    cli_asking.batch,
    cli_results.score,
    cli_results.heatmap,
    cli_results.compare,
    cli_results.report,
    cli_results.table,
    cli_results.publish,
    cli_results.import_,
    cli_setup.models,
    cli_setup.haystacks,
    cli_setup.check,
    cli_setup.simulate,
):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run the command line: the one place that turns an error into a line and a status."""
    # A run is hundreds of thousands of records without cycles: looking for some after every 700
    # new ones takes as long as reading them.
    gc.set_threshold(100_000, 20, 20)
    sys.exit(_run())


def _run() -> int:
    try:
        return int(cli(standalone_mode=False) or 0)
    except NeedleError as error:
        return _end(str(error), error.exit_status)
    except click.UsageError as error:
        return _end(_describe_usage(error), EXIT_USAGE)
    except click.ClickException as error:
        return _end(error.format_message(), EXIT_USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _end("interrupted; what is done is kept", EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EFBIG, errno.EDQUOT):
            raise
        place = f" {error.filename}" if error.filename else ""
        return _end(f"can't write{place}: {(error.strerror or '').lower()}", EXIT_USAGE)


def _end(message: str, status: int) -> int:
    click.echo(f"needle: {' '.join(message.split())}", err=True)
    return status


def _describe_usage(error: click.UsageError) -> str:
    message = error.format_message().rstrip(".")
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return "no command given"
    where = f" ({error.ctx.command_path} --help)" if error.ctx else ""
    return f"{message}{where}"
