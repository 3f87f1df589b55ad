"""The command line. Each command imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

import importlib
import sys

import click

from mailtickets import __version__

# Command, the module that has it, and its line in the overview.
COMMANDS = {
    "demo": ("demo", "Play a whole desk on embedded servers; needs no configuration."),
    "init": ("init", "Ask a few questions, test both servers, write config.toml."),
    "check": ("check", "Say what is wrong with the configuration and the templates."),
    "doctor": ("doctor", "Look at servers, certificates, disk, permissions and clock; say what to do."),
    "run": ("running", "Run the desk; --once does one round and ends."),
    "receive": ("running", "Take one mail from standard input, for a mail server's pipe."),
    "calendar": ("calendar", "Show open hours as the desk sees them; count deadlines in them."),
    "rules": ("rules", "List the rules; explain what they make of a mail."),
    "organisations": ("organisations", "List customer companies; export and import them as CSV."),
    "list": ("looking", "List tickets."),
    "show": ("looking", "Show one ticket with its history."),
    "search": ("looking", "Find tickets by words in them."),
    "why": ("looking", "Explain where a mail went and why, or what a ticket will do next."),
    "next": ("upcoming", "Show what will be sent when; what another configuration would change."),
    "ledger": ("ledger", "Balance the books: where every mail is; compare them with the mailboxes."),
    "quarantine": ("aside", "List, show, retry, release or drop mails that were set aside."),
    "held": ("aside", "List mails that wait for their agent's confirmation."),
    "forget": ("forget", "Erase a person: words, names, addresses; the figures stay."),
    "replay": ("replay", "Read stored mails again; list what would land elsewhere today."),
    "outbox": ("outgoing", "List and show mails that are not sent yet; retry or cancel some."),
    "report": ("report", "Figures of a period: volume, response times, targets kept, backlog."),
    "status": ("status", "Say how the desk is; exit code 1 where something is wrong."),
    "backup": ("copies", "Copy the store to a file or folder while the desk runs; --keep rotates."),
    "restore": ("copies", "Put a backup in the place of the store; sends no automatic mail again."),
}

# Commands whose names Python has for something else; their functions end in "_".
BUILTIN = frozenset({"list", "next"})


class _Commands(click.Group):
    """Loads a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mailtickets.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_" if cmd_name in BUILTIN else cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; with --json a fault is JSON too, and a configuration with mistakes is no full success."""
        from mailtickets.cli.words import EXIT_FAILED, FOR_SCRIPTS, MISTAKES, explained, print_json

        done: object = None
        try:
            done = super().invoke(ctx)
        except SystemExit as end:
            if end.code or MISTAKES not in ctx.meta:
                raise
        except Exception as error:
            answer = explained(error) if FOR_SCRIPTS in ctx.meta else None
            if answer is None:
                raise
            print_json({"error": answer[0]})
            ctx.exit(answer[1])
        if MISTAKES in ctx.meta:
            ctx.exit(EXIT_FAILED)
        return done

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mailtickets")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="Configuration; without it ./config.toml, then /etc/mailtickets/config.toml.",
)
def cli(config: str | None) -> None:
    """A service desk whose only user interface is e-mail.

    Customers write to your support address, agents answer from their own mail program, and this
    daemon keeps the tickets in between. Try it without any configuration: mailtickets demo
    """


def main() -> None:
    """Run the command line; a fault a person can mend is one sentence, a fault of ours a traceback that no terminal obeys."""
    from mailtickets.cli.words import EXIT_FAILED, explained, fault, wrapped

    try:
        cli(prog_name="mailtickets", standalone_mode=True)
    except Exception as error:  # noqa: BLE001 - its traceback is printed
        answer = explained(error)
        text, code = (wrapped(answer[0], err=True), answer[1]) if answer else (fault(error), EXIT_FAILED)
        click.echo(text, err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
