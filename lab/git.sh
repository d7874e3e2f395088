#!/bin/bash
# A git daemon on the host's leg of the VM network (198.18.200.2, see libvirt.sh link): read-only, every repository under
# GIT_BASE (default $LAB_STATE/git) as git://198.18.200.2/NAME.
. "$(dirname "$0")/lib.sh"
BASE=${GIT_BASE:-$LAB_STATE/git} ADDRESS=198.18.200.2
do_start() {
  lab_apt git
  "$LAB_DIR/libvirt.sh" start > /dev/null; "$LAB_DIR/libvirt.sh" link > /dev/null
  mkdir -p "$BASE"
  lab_spawn git-daemon "$(git --exec-path)/git-daemon" --listen=$ADDRESS --reuseaddr --base-path="$BASE" --export-all "$BASE"
  lab_until 120 bash -c "exec 3<>/dev/tcp/$ADDRESS/9418"
  echo "GIT=git://$ADDRESS/ (repositories in $BASE)"
}
do_stop() { lab_kill git-daemon; [ -z "${LAB_PURGE:-}" ] || rm -rf "$BASE"; }
do_status() { lab_alive git-daemon && ls "$BASE" && lab_rss git-daemon; }
lab_main "$@"
