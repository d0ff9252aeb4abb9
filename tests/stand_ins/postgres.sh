#!/bin/sh
# Make the database cluster where there is none, and serve it, as the image of that name does.
set -eu
programs=$(echo /usr/lib/postgresql/*/bin)
mkdir -p "$PGDATA"
chown postgres "$PGDATA" /var/lib/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    runuser -u postgres -- "$programs/initdb" -D "$PGDATA" --auth=scram-sha-256 --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
fi
exec runuser -u postgres -- "$programs/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
