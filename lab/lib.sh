# Shared helpers for the lab scripts. Source it, do not run it.
# Every script: start | stop | status. State (pid files, logs, data) is under $LAB_STATE/<system>.
set -euo pipefail
LAB_STATE=${LAB_STATE:-/var/tmp/tutti-lab}
LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:/usr/sbin:/sbin DEBIAN_FRONTEND=noninteractive

lab_log() { printf '[lab] %s\n' "$*" >&2; }
lab_die() { lab_log "$*"; exit 1; }

# lab_apt PKG... : installs what is missing, without letting maintainer scripts start daemons
# (they would bind 0.0.0.0 in the host namespace). Takes turns with any other apt on the machine.
lab_apt() {
  local p missing=() t0=$SECONDS
  for p in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" = "ii " ] || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  mkdir -p "$LAB_STATE"
  (
    flock 9
    made=0
    if [ ! -e /usr/sbin/policy-rc.d ]; then
      printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; made=1
    fi
    trap '[ $made = 1 ] && rm -f /usr/sbin/policy-rc.d' EXIT
    apt_opts=(-y -q -o DPkg::Lock::Timeout=900 -o Dpkg::Options::=--force-confold)
    if ! apt-get "${apt_opts[@]}" install --no-install-recommends "${missing[@]}"; then
      apt-get "${apt_opts[@]}" update
      apt-get "${apt_opts[@]}" install --no-install-recommends "${missing[@]}"
    fi
  ) 9> "$LAB_STATE/apt.lock" >> "$LAB_STATE/apt.log" 2>&1 || { tail -20 "$LAB_STATE/apt.log" >&2; lab_die "apt-get install ${missing[*]} failed"; }
  lab_log "installed ${missing[*]} in $((SECONDS - t0))s"
}

# Pid files hold "pid starttime", so a recycled pid is never signalled.
lab_starttime() { [ -r "/proc/$1/stat" ] && sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; }
lab_alive() { # lab_alive NAME
  local f=$LAB_STATE/run/$1.pid pid st
  [ -s "$f" ] || return 1
  read -r pid st < "$f"
  [ -n "$st" ] || return 1 # it had died before its start time could be read
  [ "$(lab_starttime "$pid" 2>/dev/null)" = "$st" ] && ! grep -qs '^State:.Z' "/proc/$pid/status" # an unreaped one is dead
}
lab_pid() { local pid st; read -r pid st < "$LAB_STATE/run/$1.pid"; echo "$pid"; }
lab_note_pid() { # lab_note_pid NAME PID : remember a daemon that forked by itself
  mkdir -p "$LAB_STATE/run"; echo "$2 $(lab_starttime "$2")" > "$LAB_STATE/run/$1.pid"
}
lab_spawn() { # lab_spawn NAME CMD... : background, own session, log file
  local name=$1; shift
  lab_alive "$name" && return 0
  mkdir -p "$LAB_STATE/run" "$LAB_STATE/log"
  setsid "$@" > "$LAB_STATE/log/$name.log" 2>&1 < /dev/null &
  lab_note_pid "$name" $!
}
lab_kill() { # lab_kill NAME [SIGNAL] [SECONDS] : asks, waits, then insists
  local name=$1 sig=${2:-TERM} wait=${3:-20} pid i
  if lab_alive "$name"; then
    pid=$(lab_pid "$name")
    kill -"$sig" "$pid" 2>/dev/null || true
    for ((i = 0; i < wait * 10; i++)); do lab_alive "$name" || break; sleep 0.1; done
    lab_alive "$name" && kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$LAB_STATE/run/$name.pid"
}
lab_until() { # lab_until SECONDS CMD... : waits until CMD succeeds; the limit only stops what hangs, on a machine that is full
  local limit=$1 i; shift
  for ((i = 0; i < limit * 5; i++)); do "$@" > /dev/null 2>&1 && return 0; sleep 0.2; done
  lab_log "gave up after ${limit}s: $*"; return 1
}
lab_netns() { # lab_netns NAME : a network namespace with only loopback, no way out
  lab_apt iproute2 procps
  [ -e "/run/netns/$1" ] || ip netns add "$1"
  ip -n "$1" link set lo up
}
lab_netns_del() { ip netns del "$1" 2>/dev/null || true; }
lab_rss() { # lab_rss NAME... : resident MiB of the process trees
  local n kb=0 p
  for n in "$@"; do
    for p in $(lab_tree "$(lab_pid "$n")"); do
      kb=$((kb + $(awk '/^VmRSS/{print $2}' "/proc/$p/status" 2>/dev/null || echo 0)))
    done
  done
  echo "$((kb / 1024)) MiB"
}
lab_tree() { local c; echo "$1"; for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do lab_tree "$c"; done; }
lab_main() { # lab_main "$@" : dispatch to do_start / do_stop / do_status
  [ "$(id -u)" = 0 ] || lab_die "run as root"
  case ${1:-start} in
    start) do_start ;;
    stop) do_stop ;;
    restart) do_stop; do_start ;;
    status) if declare -F do_status > /dev/null; then do_status; else lab_die "no status verb"; fi ;;
    *) lab_die "usage: $0 start|stop|restart|status" ;;
  esac
}
# lab_busybox DIR : a tiny root tree (Debian's dynamic busybox plus the libc it needs), used for
# container images and VM initramfs. Pitfall: `wget -T SECONDS` of this build segfaults; leave -T out.
lab_busybox() {
  local t=$1 src=$LAB_STATE/busybox f
  if [ ! -x "$src/bin/busybox" ]; then
    mkdir -p "$src"
    (cd "$src" && { apt-get -q download busybox || { apt-get -q update && apt-get -q download busybox; }; } && dpkg -x busybox_*.deb .) >> "$LAB_STATE/apt.log" 2>&1
  fi
  mkdir -p "$t"/{bin,sbin,etc,tmp,www,proc,sys,dev,run,root,lib/x86_64-linux-gnu,lib64}
  cp "$src/bin/busybox" "$t/bin/busybox"
  for f in $("$src/bin/busybox" --list | grep -vx busybox); do ln -sf busybox "$t/bin/$f"; done
  cp -L /lib/x86_64-linux-gnu/{libc.so.6,libresolv.so.2} "$t/lib/x86_64-linux-gnu/"
  cp -L /lib64/ld-linux-x86-64.so.2 "$t/lib64/"
  echo 'root:x:0:0:root:/root:/bin/sh' > "$t/etc/passwd"; echo 'root:x:0:' > "$t/etc/group"
  echo 'hosts: files dns' > "$t/etc/nsswitch.conf"
}
