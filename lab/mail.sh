#!/bin/bash
# Postfix (SMTP, STARTTLS, optional AUTH with any user and the password lab, or MAIL_PASSWORD, through Dovecot SASL) that keeps every
# message for every address in one Maildir, and Dovecot IMAP (STARTTLS) on that Maildir. Loopback only; nothing is ever relayed. Mails to
# refused.lab.test are refused.
# Not OpenSMTPD: bookworm's answers STARTTLS with a TLS internal error (with RSA and EC keys alike).
. "$(dirname "$0")/lib.sh"
SMTP=${SMTP_PORT:-10025} IMAP=${IMAP_PORT:-10143} PASSWORD=${MAIL_PASSWORD:-lab} ROOT=$LAB_STATE/mail
do_start() {
  if ! dpkg-query -W postfix > /dev/null 2>&1; then
    lab_apt debconf-utils
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
  fi
  lab_apt postfix dovecot-imapd openssl
  id labmail > /dev/null 2>&1 || useradd --system --no-create-home --home-dir "$ROOT/home" --shell /usr/sbin/nologin labmail
  mkdir -p "$ROOT"/{home/Maildir,dovecot,etc,data} "$ROOT/queue"
  chmod 755 "$LAB_STATE" "$ROOT"; chown -R labmail: "$ROOT/home"; chown postfix: "$ROOT/data"
  [ -e "$ROOT/cert.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$ROOT/key.pem" -out "$ROOT/cert.pem" 2> /dev/null
  chmod 600 "$ROOT/key.pem"
  cat > "$ROOT/etc/main.cf" <<CFG
compatibility_level = 3.6
queue_directory = $ROOT/queue
data_directory = $ROOT/data
maillog_file = $LAB_STATE/log/postfix.log
maillog_file_prefixes = $LAB_STATE/log
multi_instance_enable = no
myhostname = mail.lab.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_tls_security_level = may
smtpd_tls_cert_file = $ROOT/cert.pem
smtpd_tls_key_file = $ROOT/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = $ROOT/queue/auth
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
alias_maps =
alias_database =
virtual_mailbox_domains = static:all
smtpd_recipient_restrictions = check_recipient_access inline:{ refused.lab.test=REJECT }, permit
virtual_mailbox_maps = static:Maildir/
virtual_mailbox_base = $ROOT/home
virtual_uid_maps = static:$(id -u labmail)
virtual_gid_maps = static:$(id -g labmail)
virtual_transport = virtual
default_transport = error:nothing leaves the lab
relay_transport = error:nothing leaves the lab
message_size_limit = 26214400
virtual_mailbox_limit = 0
CFG
  sed -E "s/^smtp +inet.*/127.0.0.1:$SMTP inet n - n - - smtpd/; s/^([a-z]+ +(unix|fifo|unix-dgram) +[-ny]+ +[-ny]+ +)[-y] /\1n /" /usr/share/postfix/master.cf.dist > "$ROOT/etc/master.cf"
  cat > "$ROOT/dovecot.conf" <<CFG
base_dir = $ROOT/run
state_dir = $ROOT/dovecot
log_path = $LAB_STATE/log/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <$ROOT/cert.pem
ssl_key = <$ROOT/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:$ROOT/home/Maildir
first_valid_uid = 1
service imap-login {
  inet_listener imap {
    port = $IMAP
  }
  inet_listener imaps {
    port = 0
  }
}
service auth {
  unix_listener $ROOT/queue/auth {
    mode = 0666
  }
}
passdb {
  driver = static
  args = password=$PASSWORD
}
userdb {
  driver = static
  args = uid=labmail gid=labmail home=$ROOT/home
}
CFG
  lab_spawn dovecot dovecot -F -c "$ROOT/dovecot.conf"
  lab_until 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$IMAP" || { cat "$LAB_STATE/log/dovecot.log" >&2; exit 1; }
  lab_spawn postfix postfix -c "$ROOT/etc" start-fg
  lab_until 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$SMTP; read -t 3 -u 3 l; [[ \$l == 220* ]]" || { cat "$LAB_STATE"/log/postfix*.log >&2; exit 1; }
  echo "SMTP=127.0.0.1:$SMTP IMAP=127.0.0.1:$IMAP PASSWORD=$PASSWORD MAILDIR=$ROOT/home/Maildir CA=$ROOT/cert.pem"
}
do_stop() {
  [ ! -e "$ROOT/etc/main.cf" ] || postfix -c "$ROOT/etc" stop > /dev/null 2>&1 || true
  lab_kill postfix; lab_kill dovecot; [ -z "${LAB_PURGE:-}" ] || rm -rf "$ROOT"
}
do_status() { lab_alive postfix && lab_rss postfix dovecot; }
lab_main "$@"
