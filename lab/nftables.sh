#!/bin/bash
# Three hosts in a row, for firewall tests: client -- fw -- server, each a network namespace; nftables rules live in fw.
# Rules as JSON: nsenter --net=/run/netns/lab-fw nft -j list ruleset   (and nft -j -f -)
# LAB_FW names the namespaces, so that several labs can stand side by side: their addresses exist only in them.
. "$(dirname "$0")/lib.sh"
F=${LAB_FW:-lab-fw} C=${LAB_FW:-lab-fw}-client S=${LAB_FW:-lab-fw}-server
do_start() {
  lab_apt nftables iproute2 util-linux curl procps
  if [ ! -e "/run/netns/$F" ]; then
    lab_netns "$C"; lab_netns "$F"; lab_netns "$S"
    ip link add c0 netns "$C" type veth peer name in0 netns "$F"
    ip link add s0 netns "$S" type veth peer name out0 netns "$F"
    ip -n "$C" addr add 198.18.210.2/24 dev c0; ip -n "$C" link set c0 up; ip -n "$F" addr add 198.18.210.1/24 dev in0; ip -n "$F" link set in0 up
    ip -n "$S" addr add 198.18.211.2/24 dev s0; ip -n "$S" link set s0 up; ip -n "$F" addr add 198.18.211.1/24 dev out0; ip -n "$F" link set out0 up
    ip -n "$C" route add default via 198.18.210.1; ip -n "$S" route add default via 198.18.211.1
    nsenter --net="/run/netns/$F" sysctl -qw net.ipv4.ip_forward=1
  fi
  nsenter --net="/run/netns/$F" nft -f - <<'NFT'
flush ruleset
table inet lab {
  set blocked { type ipv4_addr; flags timeout; }
  set networks { type ipv4_addr; flags interval; }
  set blocked6 { type ipv6_addr; }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ip saddr @blocked counter drop
    ip saddr 198.18.210.0/24 tcp dport 8000 counter accept
  }
}
NFT
  echo "client=$C (198.18.210.2) fw=$F server=$S (198.18.211.2), table inet lab; only tcp/8000 passes"
}
do_stop() { lab_netns_del "$C"; lab_netns_del "$S"; lab_netns_del "$F"; }
do_status() { nsenter --net="/run/netns/$F" nft -j list ruleset; }
lab_main "$@"
