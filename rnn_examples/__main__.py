"""List this package's modules, or copy one as a file that needs only torch.

Test: tests/package/test_one_file.py
"""

import argparse
import difflib
import shutil
import sys
from pathlib import Path

from rnn_examples import __version__
from rnn_examples.one_file import data_of, modules, one_file

EPILOG = """examples:
  python -m rnn_examples list
  python -m rnn_examples copy gates.lstm lstm.py
  python -m rnn_examples copy gates.lstm gates.gru layers/
"""


class Refused(Exception):
    """A line for the person who typed the command."""


def name_of(word: str) -> str:
    """gates.lstm, also for gates/lstm.py and rnn_examples.gates.lstm.

    Raises Refused, with what may have been meant, when there is no such module.
    """
    name = word.removesuffix(".py").replace("/", ".").removeprefix("rnn_examples.")
    names = modules()
    if name in names:
        return name
    same = [n for n in names if n.partition(".")[2] == name.rpartition(".")[2]]
    near = same or difflib.get_close_matches(name, names)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise Refused(
        f"there is no module {word!r}; {hint}python -m rnn_examples list names them all"
    )


def targets(names: list[str], dest: str) -> dict[str, Path]:
    """The file that each module is written to; a folder gets their own names.

    Raises Refused when DEST can be no module's file.
    """
    path, is_folder = Path(dest), dest.endswith(("/", "\\")) or Path(dest).is_dir()
    if len(names) > 1 or is_folder:
        if path.exists() and not path.is_dir():
            raise Refused(f"{dest} is a file; {len(names)} modules need a folder")
        return {name: path / f"{name.rpartition('.')[2]}.py" for name in names}
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise Refused(
            f"DEST is {dest}; need a folder (with a / at its end), or a file that "
            "Python can import, such as my_lstm.py"
        )
    return {names[0]: path}


def copy(words: list[str], dest: str, force: bool) -> None:
    """Write each module, and the data that it reads, and say what was written."""
    names = list(dict.fromkeys(map(name_of, words)))
    texts: dict[Path, str] = {}
    data: dict[Path, Path] = {}
    for name, path in targets(names, dest).items():
        texts[path] = one_file(name, path.stem)
        data |= {path.parent / file.name: file for file in data_of(name)}
    there = [str(path) for path in (*texts, *data) if path.exists()]
    if there and not force:
        raise Refused(f"{', '.join(there)} exists; --force writes over it")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
    for path, file in data.items():
        shutil.copyfile(file, path)
        print(path)


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; the exit status."""
    parser = argparse.ArgumentParser(
        "python -m rnn_examples",
        description=(__doc__ or "").partition("\n")[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name each module and what it holds")
    copying = commands.add_parser("copy", help="write modules as files of their own")
    copying.add_argument("module", nargs="+", help="such as gates.lstm")
    copying.add_argument("dest", metavar="DEST", help="a file, or a folder/")
    copying.add_argument("--force", action="store_true", help="write over what exists")
    args = parser.parse_args(arguments)
    try:
        if args.command == "copy":
            copy(args.module, args.dest, args.force)
        else:
            for name, what in modules().items():
                print(f"{name:<30} {what}")
    except (Refused, OSError) as error:
        print(f"rnn_examples: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
