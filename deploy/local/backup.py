#!/usr/bin/env python3
"""Save a stack of the embedded default in one file, and make one from it.

    deploy/local/backup.py save FILE [--var DIR]
    deploy/local/backup.py restore FILE [--var DIR]

FILE is a tar archive: what PostgreSQL holds (loa.dump, for pg_restore), the
keys, and what the simulated loudspeakers keep, but not what they played. It
holds secrets and is made with mode 0600. Saving works while the stack runs.
Restoring needs a new or empty folder; start it then with `make run VAR=DIR`.
"""
import argparse
import os
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from stack import MARK, Stack, Trouble, say  # noqa: E402

DUMP = "loa.dump"
KEPT = ("keys", "speakers")


def run(*argv, **more):
    done = subprocess.run(argv, stderr=subprocess.PIPE, **more)
    if done.returncode != 0:
        raise Trouble(done.stderr.decode().strip().split("\n")[-1])


def is_running(stack):
    try:
        stack.take_lock()
        return False
    except Trouble:
        return True


def save(stack, path):
    if not os.path.exists(stack.path(MARK)):
        raise Trouble(f"{stack.var} is not the folder of a stack: say which "
                      "one with VAR=DIR")
    if is_running(stack):
        stack.find_pg()
    else:
        stack.start_pg()
    new = path + ".new"
    with tempfile.TemporaryDirectory() as work:
        dump = os.path.join(work, DUMP)
        run("pg_dump", "-Fc", "-f", dump, stack.conninfo("loa"))
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as f:
            with tarfile.open(fileobj=f, mode="w") as tar:
                tar.add(dump, DUMP)
                for name in KEPT:
                    if os.path.isdir(stack.path(name)):
                        tar.add(stack.path(name), name)
            f.flush()
            os.fsync(f.fileno())
    os.rename(new, path)
    say(f"✓ đã lưu vào {path} ({os.path.getsize(path) >> 10} kB)",
        f"✓ saved in {path} ({os.path.getsize(path) >> 10} kB)")


def members(tar):
    """Only what save() puts there, and nothing that leads elsewhere."""
    for m in tar.getmembers():
        parts = m.name.split("/")
        if not (m.isfile() or m.isdir()) or ".." in parts or \
                (parts[0] not in KEPT and m.name != DUMP):
            raise Trouble(f"{tar.name} is not a backup: it holds {m.name}")
        yield m


def restore(stack, path):
    with tarfile.open(path, "r:") as tar:
        found = list(members(tar))
        if DUMP not in [m.name for m in found]:
            raise Trouble(f"{path} is not a backup: it has no {DUMP}")
        if os.path.isdir(stack.var) and os.listdir(stack.var):
            raise Trouble(f"{stack.var} holds other things: give a new or an "
                          "empty folder with VAR=DIR")
        stack.take_folder()
        stack.take_lock()
        tar.extractall(stack.var, members=found)
    stack.start_pg()
    # The roles are there now; the tables come from the backup.
    dump = stack.path(DUMP)
    for command in ("dropdb", "createdb"):
        run(command, "-h", stack.socket_dir, "-U", "loa", "loa")
    with open(dump, "rb") as f:
        run("pg_restore", "--exit-on-error", "-d", stack.conninfo("loa"),
            stdin=f)
    stack.migrate()
    os.unlink(dump)
    say(f"✓ đã phục hồi vào {stack.var}; chạy tiếp: make run VAR={stack.var}",
        f"✓ restored to {stack.var}; start it: make run VAR={stack.var}")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("what", choices=("save", "restore"))
    p.add_argument("file", nargs="?", default=os.environ.get("LOA_BACKUP_FILE"))
    p.add_argument("--var", default=os.environ.get("LOA_DEMO_VAR") or "var")
    args = p.parse_args()
    if not args.file:
        p.error("which FILE?  make backup FILE=loa.tar")
    stack = Stack(args.var, port=0)
    try:
        {"save": save, "restore": restore}[args.what](stack, args.file)
        return 0
    except tarfile.TarError as e:
        print(f"loa: {args.file} is not a backup: {e}", file=sys.stderr)
        return 1
    except Trouble as e:
        print(f"loa: {e}", file=sys.stderr)
        return 1
    except OSError as e:
        mine = e.filename in (args.file, args.file + ".new")
        what = "FILE=" + args.file if mine else e.filename or stack.var
        print(f"loa: {what}: {e.strerror}", file=sys.stderr)
        return 1
    finally:
        stack.stop()


if __name__ == "__main__":
    sys.exit(main())
