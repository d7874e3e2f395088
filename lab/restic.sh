#!/bin/bash
# restic with a repository behind rclone's REST server on loopback (account lab / lab, or RESTIC_LAB_PASSWORD; password of the repository lab).
. "$(dirname "$0")/lib.sh"
PORT=${RESTIC_PORT:-18000} PASSWORD=${RESTIC_LAB_PASSWORD:-lab} ROOT=$LAB_STATE/restic
do_start() {
  lab_apt restic rclone
  mkdir -p "$ROOT"/{repo,cache}; : > "$ROOT/rclone.conf"
  RCLONE_USER=lab RCLONE_PASS=$PASSWORD lab_spawn restic-rest rclone serve restic --config "$ROOT/rclone.conf" --addr "127.0.0.1:$PORT" "$ROOT/repo"
  lab_until 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
  echo "RESTIC_REPOSITORY=rest:http://127.0.0.1:$PORT/ (lab/$PASSWORD)"
}
do_stop() { lab_kill restic-rest; [ -z "${LAB_PURGE:-}" ] || rm -rf "$ROOT"; }
do_status() { lab_alive restic-rest && lab_rss restic-rest; }
lab_main "$@"
