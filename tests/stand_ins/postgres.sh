#!/bin/sh
# Make the database cluster where there is none, and serve it, as the image of that name does.
set -eu
programs=$(echo /usr/lib/postgresql/*/bin)
mkdir -p "$PGDATA"
chown postgres "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    chmod 644 /tmp/password
    runuser -u postgres -- "$programs/initdb" -D "$PGDATA" --auth=scram-sha-256 --pwfile=/tmp/password --encoding=UTF8
fi
exec runuser -u postgres -- "$programs/postgres" -D "$PGDATA" -c listen_addresses='*'
