#!/bin/bash
# Message brokers on loopback, user lab, password lab: Mosquitto 2.0 (MQTT), RabbitMQ 3.10 (AMQP 0-9-1), NATS 2.9 with JetStream.
# BROKERS="mqtt amqp nats"   which ones (default all)
# Each has a second port with TLS: its certificate is for broker.lab.test, by the authority in $LAB_STATE/brokers/tls/ca.pem.
. "$(dirname "$0")/lib.sh"
BROKERS=${BROKERS:-mqtt amqp nats} ROOT=$LAB_STATE/brokers
MQTT=${MQTT_PORT:-11883} AMQP=${AMQP_PORT:-15680} NATS=${NATS_PORT:-14222}
MQTTS=$((MQTT + 1)) AMQPS=$((AMQP + 1)) NATSS=$((NATS + 2)) TLS=$ROOT/tls
listens() { bash -c "exec 3<>/dev/tcp/127.0.0.1/$1"; }
failed() { tail -20 "$LAB_STATE/log/$1.log" >&2; exit 1; }

make_certificates() { # ca.pem; server.pem by it; self.pem by nobody but itself
  [ ! -e "$TLS/made" ] || return 0
  lab_apt openssl
  mkdir -p "$TLS"
  (
    cd "$TLS"
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256)
    echo subjectAltName=DNS:broker.lab.test > names
    openssl req -x509 "${key[@]}" -keyout ca.key -out ca.pem -days 3650 -subj "/CN=Lab Brokers"
    openssl req "${key[@]}" -keyout server.key -out server.csr -subj /CN=broker
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 3650 -extfile names
    openssl req -x509 "${key[@]}" -keyout self.key -out self.pem -days 3650 -subj /CN=self -addext "$(cat names)"
    touch made
  ) > /dev/null 2>&1 || { lab_log "openssl made no certificates in $TLS"; exit 1; }
}
start_mqtt() {
  lab_apt mosquitto mosquitto-clients
  mkdir -p "$ROOT/mqtt"
  mosquitto_passwd -b -c "$ROOT/mqtt/passwd" lab lab
  cat > "$ROOT/mqtt/mosquitto.conf" <<CONF
listener $MQTT 127.0.0.1
allow_anonymous false
password_file $ROOT/mqtt/passwd
listener $MQTTS 127.0.0.1
certfile $TLS/server.pem
keyfile $TLS/server.key
user root
persistence true
persistence_location $ROOT/mqtt/
autosave_on_changes true
autosave_interval 1
CONF
  lab_spawn mqtt mosquitto -c "$ROOT/mqtt/mosquitto.conf"
  lab_until 120 listens "$MQTT" && lab_until 120 listens "$MQTTS" || failed mqtt
  echo "MQTT_URL=mqtt://lab:lab@127.0.0.1:$MQTT"
}
start_nats() {
  lab_apt nats-server
  mkdir -p "$ROOT/nats"
  cat > "$ROOT/nats/nats.conf" <<CONF
listen: "127.0.0.1:$NATS"
http: "127.0.0.1:$((NATS + 1))"
server_name: lab
authorization { user: lab, password: lab }
jetstream { store_dir: "$ROOT/nats/store", max_memory_store: 32M, max_file_store: 256M }
CONF
  # A server speaks TLS to all or to none: this is a second one, without streams.
  cat > "$ROOT/nats/nats-tls.conf" <<CONF
listen: "127.0.0.1:$NATSS"
server_name: lab-tls
authorization { user: lab, password: lab }
tls { cert_file: "$TLS/server.pem", key_file: "$TLS/server.key" }
CONF
  lab_spawn nats nats-server -c "$ROOT/nats/nats.conf"
  lab_spawn nats-tls nats-server -c "$ROOT/nats/nats-tls.conf"
  lab_until 120 listens "$NATS" || failed nats
  lab_until 120 listens "$NATSS" || failed nats-tls
  echo "NATS_URL=nats://lab:lab@127.0.0.1:$NATS  (monitoring http://127.0.0.1:$((NATS + 1))/jsz)"
}
rabbit_env() { # everything on loopback: node name, distribution, epmd; one scheduler, no busy waiting
  mkdir -p "$ROOT/amqp"
  export HOME=$ROOT/amqp RABBITMQ_CONF_ENV_FILE=$ROOT/amqp/none RABBITMQ_NODENAME=lab@localhost \
    RABBITMQ_CONFIG_FILE=$ROOT/amqp/rabbitmq RABBITMQ_ADVANCED_CONFIG_FILE=$ROOT/amqp/advanced \
    RABBITMQ_MNESIA_BASE=$ROOT/amqp/mnesia RABBITMQ_LOG_BASE=$ROOT/amqp/log RABBITMQ_LOGS=- \
    RABBITMQ_ENABLED_PLUGINS_FILE=$ROOT/amqp/plugins RABBITMQ_FEATURE_FLAGS_FILE=$ROOT/amqp/feature_flags \
    RABBITMQ_PID_FILE=$ROOT/amqp/pid RABBITMQ_DIST_PORT=$((AMQP + 2)) ERL_EPMD_PORT=$((AMQP + 3)) ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +A 8 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
}
start_amqp() {
  lab_apt rabbitmq-server amqp-tools
  (
    rabbit_env
    echo '[].' > "$ROOT/amqp/plugins"
    cat > "$ROOT/amqp/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$AMQP
listeners.ssl.1 = 127.0.0.1:$AMQPS
ssl_options.cacertfile = $TLS/ca.pem
ssl_options.certfile = $TLS/server.pem
ssl_options.keyfile = $TLS/server.key
default_user = lab
default_pass = lab
vm_memory_high_watermark.absolute = 256MiB
disk_free_limit.absolute = 50MB
log.console.level = warning
CONF
    cd /
    # epmd first and by itself: the server would start one that outlives it
    lab_spawn epmd epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT"
    lab_until 120 listens "$ERL_EPMD_PORT" || failed epmd
    lab_spawn amqp /usr/lib/rabbitmq/bin/rabbitmq-server
  )
  lab_until 240 amqp-declare-queue --url "amqp://lab:lab@127.0.0.1:$AMQP" -q lab-ready && lab_until 120 listens "$AMQPS" || failed amqp
  amqp-delete-queue --url "amqp://lab:lab@127.0.0.1:$AMQP" -q lab-ready > /dev/null
  echo "AMQP_URL=amqp://lab:lab@127.0.0.1:$AMQP"
}
do_start() { local b; make_certificates; for b in $BROKERS; do "start_$b"; done; }
do_stop() {
  local b p
  for b in $BROKERS; do
    if [ "$b" = amqp ]; then # its Erlang VM and helpers are children; TERM to the VM is an orderly stop
      p=; lab_alive amqp && p=$(lab_tree "$(lab_pid amqp)")
      lab_kill amqp TERM 30
      [ -z "$p" ] || lab_until 5 bash -c '! kill -0 '"${p//$'\n'/ }" || kill -KILL $p 2> /dev/null || true
      lab_kill epmd
    else
      lab_kill "$b"
      [ "$b" != nats ] || lab_kill nats-tls
    fi
    [ -z "${LAB_PURGE:-}" ] || rm -rf "${ROOT:?}/$b"
  done
}
do_status() { local b rc=1; for b in $BROKERS; do lab_alive "$b" && { rc=0; echo "$b $(lab_rss "$b")"; } || echo "$b off"; done; return $rc; }
lab_main "$@"
