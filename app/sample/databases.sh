#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run once by the PostgreSQL container: one database and one credential per role, taken from the roles' own URL files.
set -eu
for role in directory ca sso signatures gateway; do
  password=$(sed -n "s#^postgresql+psycopg://$role:\([A-Za-z0-9_-]*\)@.*#\1#p" "${SECRETS:-/run/secrets}/$role-database")
  test -n "$password"
  psql --quiet --set ON_ERROR_STOP=1 --username postgres <<SQL
CREATE ROLE "$role" LOGIN PASSWORD '$password';
CREATE DATABASE "$role" OWNER "$role";
REVOKE CONNECT ON DATABASE "$role" FROM PUBLIC;
SQL
done
