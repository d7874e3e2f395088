#!/bin/bash
# Icinga 2 with its REST API (https, an authority of its own; root and lab, or ICINGA_PASSWORD): objects, checks, downtimes, acknowledgements, event streams.
. "$(dirname "$0")/lib.sh"
PORT=${ICINGA_PORT:-15665} PASSWORD=${ICINGA_PASSWORD:-lab} ROOT=$LAB_STATE/icinga
do_start() {
  lab_apt icinga2-bin icinga2-common monitoring-plugins-basic openssl curl
  mkdir -p "$ROOT"/{lib/certs,lib/ca,log,cache,spool,run,conf}; chmod 755 "$LAB_STATE"
  if [ ! -e "$ROOT/lib/certs/lab.crt" ]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=lab-ca -keyout "$ROOT/lib/ca/ca.key" -out "$ROOT/lib/certs/ca.crt" 2> /dev/null
    openssl req -newkey rsa:2048 -nodes -subj /CN=lab -keyout "$ROOT/lib/certs/lab.key" -out "$ROOT/lib/certs/lab.csr" 2> /dev/null
    printf 'subjectAltName=DNS:lab,DNS:localhost,IP:127.0.0.1\n' > "$ROOT/ext"
    openssl x509 -req -days 3650 -in "$ROOT/lib/certs/lab.csr" -CA "$ROOT/lib/certs/ca.crt" -CAkey "$ROOT/lib/ca/ca.key" -CAcreateserial -extfile "$ROOT/ext" -out "$ROOT/lib/certs/lab.crt" 2> /dev/null
  fi
  cat > "$ROOT/conf/icinga2.conf" <<CFG
const NodeName = "lab"
const PluginDir = "/usr/lib/nagios/plugins"
include <itl>
include <plugins>
object Endpoint "lab" { }
object Zone "lab" { endpoints = [ "lab" ] }
object CheckerComponent "checker" { }
object IcingaApplication "app" { }
object ApiListener "api" { bind_host = "127.0.0.1"; bind_port = $PORT }
object ApiUser "root" { password = "$PASSWORD"; permissions = [ "*" ] }
object Host "localhost" { check_command = "passive"; enable_active_checks = false }
object Service "disk" { host_name = "localhost"; check_command = "passive"; enable_active_checks = false; max_check_attempts = 1 }
CFG
  chown -R nagios: "$ROOT"
  lab_spawn icinga icinga2 daemon -c "$ROOT/conf/icinga2.conf" -DDataDir="$ROOT/lib" -DLogDir="$ROOT/log" -DCacheDir="$ROOT/cache" -DSpoolDir="$ROOT/spool" -DInitRunDir="$ROOT/run"
  lab_until 120 curl -skf -u "root:$PASSWORD" "https://127.0.0.1:$PORT/v1/status" || { tail -20 "$LAB_STATE/log/icinga.log" >&2; exit 1; }
  echo "ICINGA=https://127.0.0.1:$PORT/v1 (root/$PASSWORD, CA $ROOT/lib/certs/ca.crt)"
}
do_stop() { lab_kill icinga; [ -z "${LAB_PURGE:-}" ] || rm -rf "$ROOT"; }
do_status() { lab_alive icinga && lab_rss icinga; }
lab_main "$@"
