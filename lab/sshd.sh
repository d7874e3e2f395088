#!/bin/bash
# OpenSSH server on loopback, key login only, own host key and authorized_keys; sftp on.
. "$(dirname "$0")/lib.sh"
PORT=${SSHD_PORT:-10022} ROOT=$LAB_STATE/sshd
do_start() {
  lab_apt openssh-server openssh-client openssh-sftp-server
  mkdir -p "$ROOT" /run/sshd
  [ -e "$ROOT/host_key" ] || ssh-keygen -q -t ed25519 -N '' -f "$ROOT/host_key"
  [ -e "$ROOT/host_rsa_key" ] || ssh-keygen -q -t rsa -b 3072 -N '' -f "$ROOT/host_rsa_key"
  [ -e "$ROOT/id" ] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$ROOT/id"
  cp "$ROOT/id.pub" "$ROOT/authorized_keys"
  echo "[127.0.0.1]:$PORT $(cut -d' ' -f1,2 "$ROOT/host_key.pub")" > "$ROOT/known_hosts"
  cat > "$ROOT/sshd_config" <<CFG
ListenAddress 127.0.0.1
Port $PORT
HostKey $ROOT/host_key
HostKey $ROOT/host_rsa_key
PidFile $ROOT/sshd.pid
AuthorizedKeysFile $ROOT/authorized_keys
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
AcceptEnv LANG LC_*
MaxSessions 500
# Keeps bash from reading .bashrc for each command: what stands there is the machine's own, and may take a tenth of a second.
SetEnv SHLVL=2
Subsystem sftp internal-sftp
CFG
  lab_spawn sshd /usr/sbin/sshd -D -e -f "$ROOT/sshd_config"
  lab_until 60 ssh -i "$ROOT/id" -p "$PORT" -o UserKnownHostsFile="$ROOT/known_hosts" -o BatchMode=yes root@127.0.0.1 true
  echo "SSH=root@127.0.0.1:$PORT KEY=$ROOT/id KNOWN_HOSTS=$ROOT/known_hosts"
}
do_stop() { lab_kill sshd; [ -z "${LAB_PURGE:-}" ] || rm -rf "$ROOT"; }
do_status() { lab_alive sshd && lab_rss sshd; }
lab_main "$@"
