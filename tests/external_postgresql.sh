#!/usr/bin/env bash
# Run the tests that use a database against an external PostgreSQL 15 or newer instead of the embedded one:
# the one in QUADRAT_TEST_DATABASE_URL, else Debian's, installed and started for the moment.
# Usage: tests/external_postgresql.sh path/to/pytest
set -euo pipefail
pytest=$1

if [ -z "${QUADRAT_TEST_DATABASE_URL:-}" ]; then
    if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            echo "No PostgreSQL server here: set QUADRAT_TEST_DATABASE_URL, or install Debian's package postgresql." >&2
            exit 1
        fi
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null
    fi
    bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    home=$(mktemp -d /tmp/quadrat-pg-XXXXXX)
    run=()
    if [ "$(id -u)" -eq 0 ]; then
        chown postgres "$home"
        run=(runuser -u postgres --)
    fi
    stop() {
        "${run[@]}" "$bin/pg_ctl" -D "$home/cluster" -m immediate stop >/dev/null || true
        rm -rf "$home"
    }
    trap stop EXIT
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    "${run[@]}" bash -c 'echo "$1" >"$2/password" && "$3/initdb" -D "$2/cluster" -U postgres \
        --auth=scram-sha-256 --pwfile="$2/password" --encoding=UTF8 >/dev/null' - "$password" "$home" "$bin"
    "${run[@]}" "$bin/pg_ctl" -D "$home/cluster" -w -l "$home/log" \
        -o "-c listen_addresses='' -c unix_socket_directories='$home' -c max_connections=200" start >/dev/null
    export QUADRAT_TEST_DATABASE_URL="postgresql://postgres:$password@/postgres?host=$home"
    "$bin/postgres" --version
fi

"$pytest" -n 2 --dist loadgroup tests/domain tests/api -m "not slow"
