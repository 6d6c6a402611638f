#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One database and one credential per role, taken from the roles' own URL files; may be repeated, and then gives changed
# passwords to the roles. As the superuser of the server that PGHOST names; if it wants a password, the file postgres
# beside the others holds it.
set -eu
secrets="${SECRETS:-/run/secrets}"
if [ -e "$secrets/postgres" ]; then
  umask 077
  PGPASSFILE=$(mktemp)
  export PGPASSFILE
  trap 'rm -f "$PGPASSFILE"' EXIT
  sed 's/[\\:]/\\&/g; s/^/*:*:*:postgres:/' "$secrets/postgres" >"$PGPASSFILE"
fi
for role in directory ca sso signatures gateway; do
  password=$(sed -n "s#^postgresql+psycopg://$role:\([A-Za-z0-9_-]*\)@.*#\1#p" "$secrets/$role-database")
  test -n "$password"
  psql --quiet --no-password --set ON_ERROR_STOP=1 --username postgres <<SQL
SELECT 'CREATE ROLE "$role" LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') \gexec
ALTER ROLE "$role" PASSWORD '$password';
SELECT 'CREATE DATABASE "$role" OWNER "$role"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '$role') \gexec
REVOKE CONNECT ON DATABASE "$role" FROM PUBLIC;
SQL
done
