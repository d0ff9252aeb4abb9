# PostgreSQL and Redis of Debian behind what docker/compose.yaml expects of the images of those names, for machines that
# can pull none.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS postgres
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/*
COPY <<"EOF" /usr/local/bin/serve
#!/bin/sh
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
EOF
CMD ["sh", "/usr/local/bin/serve"]

FROM ${BASE_IMAGE} AS redis
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \
    && mkdir /data
