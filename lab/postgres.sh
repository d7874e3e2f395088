#!/bin/bash
# PostgreSQL 15 as user postgres, scram passwords, TLS with a certificate of its own (postgres/tls.pem, for localhost and 127.0.0.1).
# User lab, password lab, database lab; superuser postgres by unix socket as root, and admin by POSTGRES_ADMIN_PASSWORD.
# POSTGRES_SETTINGS: lines for postgresql.conf.
. "$(dirname "$0")/lib.sh"
BIN=/usr/lib/postgresql/15/bin ROOT=$LAB_STATE/postgres PORT=${POSTGRES_PORT:-15432} ADMIN=${POSTGRES_ADMIN_PASSWORD:-labpassword}
pg() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
sql() { psql -X -qAt -h "$ROOT" -p "$PORT" -U postgres -d postgres "$@"; } # as root, by unix socket
packages() {
  local made=
  if [ ! -x $BIN/postgres ] && [ ! -e /etc/postgresql-common/createcluster.d/lab.conf ]; then # no Debian cluster beside ours
    mkdir -p /etc/postgresql-common/createcluster.d; made=/etc/postgresql-common/createcluster.d/lab.conf
    echo 'create_main_cluster = false' > $made
  fi
  lab_apt postgresql-15 postgresql-client-15 util-linux openssl
  [ -z "$made" ] || rm -f $made
}
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=lab -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$ROOT/tls.key" -out "$ROOT/tls.pem" 2> /dev/null
  chmod 600 "$ROOT/tls.key"; chown postgres: "$ROOT/tls.key" "$ROOT/tls.pem"
}
create() {
  [ -s "$ROOT/data/PG_VERSION" ] && return 0
  mkdir -p "$ROOT/data" "$LAB_STATE/log"; chmod o+x "$LAB_STATE"; chmod 755 "$ROOT"; chmod 700 "$ROOT/data"; chown postgres: "$ROOT" "$ROOT/data"
  pg test -x "$ROOT" || lab_die "user postgres cannot enter $ROOT: choose another LAB_STATE"
  # no password for the superuser postgres: it comes in by unix socket only
  (cd / && pg $BIN/initdb -D "$ROOT/data" --locale=C.UTF-8 --encoding=UTF8 --auth=peer) > "$LAB_STATE/log/postgres.init.log" 2>&1 ||
    { tail -5 "$LAB_STATE/log/postgres.init.log" >&2; exit 1; }
  certificate
  cat >> "$ROOT/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $PORT
unix_socket_directories = '$ROOT'
ssl = on
ssl_cert_file = '$ROOT/tls.pem'
ssl_key_file = '$ROOT/tls.key'
${POSTGRES_SETTINGS:-}
CONF
  cat > "$ROOT/data/pg_hba.conf" <<HBA
local all postgres peer map=lab
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
HBA
  printf 'lab root postgres\nlab postgres postgres\n' > "$ROOT/data/pg_ident.conf"
  : > "$ROOT/data/lab.new"
}
do_start() {
  packages; create
  (cd / && lab_spawn postgres setpriv --reuid postgres --regid postgres --init-groups $BIN/postgres -D "$ROOT/data")
  lab_until 120 $BIN/pg_isready -q -h "$ROOT" -p "$PORT" || { tail -20 "$LAB_STATE/log/postgres.log" >&2; exit 1; }
  if [ -e "$ROOT/data/lab.new" ]; then
    sql -c "create role lab login createdb password 'lab'" -c "create role admin superuser login password '$ADMIN'" -c 'create database lab owner lab'
    rm "$ROOT/data/lab.new"
  fi
  echo "POSTGRES=127.0.0.1:$PORT (user lab, password lab, database lab; user admin, password $ADMIN) unix socket: $ROOT"
}
do_stop() { lab_kill postgres INT 60; [ -z "${LAB_PURGE:-}" ] || rm -rf "$ROOT"; } # fast shutdown
do_status() { lab_alive postgres && sql -c 'select version()' && lab_rss postgres; }
lab_main "$@"
