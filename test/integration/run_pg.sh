#!/bin/sh
# Run test programs against a private PostgreSQL cluster on a Unix socket.
# Usage: run_pg.sh PROGRAM... (each also gets TEST_DIR, an empty directory)
set -eu
tmp=$(mktemp -d "${TMPDIR:-/tmp}/loa-test.XXXXXX")
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)

as_pg() { # PostgreSQL refuses to run as root.
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi
}
clean() {
    cd /
    as_pg "$bin/pg_ctl" -s -D "$tmp/pg" -m immediate stop || true
    rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 1' INT TERM

[ "$(id -u)" != 0 ] || chown postgres "$tmp"
chmod 711 "$tmp"
mkdir "$tmp/work"
(cd "$tmp" && as_pg "$bin/initdb" -D "$tmp/pg" -U loa -A trust -E UTF8 --no-locale -N >/dev/null)
(cd "$tmp" && as_pg "$bin/pg_ctl" -s -D "$tmp/pg" -l "$tmp/pg.log" -w \
    -o "-c listen_addresses= -c unix_socket_directories=$tmp -c fsync=off" start)
export PGHOST="$tmp" PGUSER=loa PGDATABASE=postgres TEST_DIR="$tmp/work"
for program in "$@"; do
    "$program" 2>"$tmp/err" || { tail -n 60 "$tmp/err"; echo "FAIL  $program"; exit 1; }
    echo "  ok    $program"
done
