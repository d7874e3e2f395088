/** How long it is remembered that the outcome of an attempt was taken, so that a request of it that comes late starts nothing. Days. */
const REMEMBERED_DAYS = 2;

/**
 * Where scripts are: D, one for each token, with `script`, `stdin` and `run`, which starts it. `started` holds process, its start and the boot: it is
 * made by a hard link, so that one `run` only makes it, and with it the right to start the script. `code` is there when it has ended, and
 * then the outputs are whole. What ends without `code` was killed, or the host was booted anew.
 */
const PLACES = `
case $base in /*) B=$base;; *) B=$HOME/$base;; esac
S=$B/scripts; D=$S/$token
alive() {
  read -r P N K < "$D/started" || return 1
  [ "$K" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 1
  if X=$(sed 's/.*) //' "/proc/$P/stat" 2> /dev/null) && [ "\${X%% *}" != Z ]; then
    [ "$(printf '%s' "$X" | cut -d' ' -f20)" = "$N" ]
  else
    kill -s 0 -- "-$P" 2> /dev/null
  fi
}
`;

/** Begins the script, or finds it begun. Variables base, token, number, script, run, bytes (of the input, which is its standard input). */
export const START_SCRIPT = `${PLACES}
X=$(cat "$S/$token.done" 2> /dev/null) || X=0
[ "$number" -gt "$X" ] || fail stale
# Of an attempt whose outcome was taken.
if [ -d "$D" ] && [ "$(cat "$D/number")" -le "$X" ]; then rm -rf "$D"; fi
for tool in setsid sed cut tail head wc; do command -v "$tool" > /dev/null || fail no-tool "$tool"; done
[ -r /proc/sys/kernel/random/boot_id ] || fail no-tool /proc
if [ -d "$D" ]; then found=1; else
  found=0
  trying mkdir -p "$S"
  W=$S/.new.$$.$token
  trap 'rm -rf "$W"' EXIT
  trying mkdir "$W"
  E=$( { printf '%s' "$script" > "$W/script" && printf '%s' "$run" > "$W/run" && printf '%s' "$number" > "$W/number" && cat > "$W/stdin"; } 2>&1 ) || fail system "$E"
  [ "$(wc -c < "$W/stdin")" -eq "$bytes" ] || fail cut
  chmod 700 "$W/script"
  # When another request was faster, this one lies in its directory and is of no use.
  [ -d "$D" ] || trying mv "$W" "$D"
fi
if [ ! -e "$D/started" ]; then
  ( umask "$UM"; if [ -n "$LC" ]; then LC_ALL=$LC; else unset LC_ALL; fi; exec setsid /bin/sh "$D/run" < /dev/null > /dev/null 2>&1 ) &
fi
n=0
until [ -e "$D/started" ]; do n=$((n + 1)); [ "$n" -le 300 ] || fail not-started; sleep 0.1; done
printf 'found %s\\ndone\\n' "$found"
`;

/** What starts the script: in front of it stand `enter` and `exports`. */
export function runnerText(parts: { readonly enter: string; readonly exports: readonly string[]; readonly call: string }): string {
  return `D=\${0%/*}
O=$(umask); umask 077
N=$(sed 's/.*) //' "/proc/$$/stat" | cut -d' ' -f20)
printf '%s %s %s\\n' "$$" "$N" "$(cat /proc/sys/kernel/random/boot_id)" > "$D/claim.$$" || exit 1
: >> "$D/stdout"; : >> "$D/stderr"
ln "$D/claim.$$" "$D/started" 2> /dev/null || exit 0
# A stop that came between: it counts first, and then ends what is claimed.
[ "$(cat "$D.done" 2> /dev/null || echo 0)" -lt "$(cat "$D/number")" ] || exit 0
over() { printf '%s\\n' "$1" > "$D/code.new" && mv -f "$D/code.new" "$D/code"; exit 0; }
${parts.enter} || over no-directory
( umask "$O"
${parts.exports.join("\n")}
exec ${parts.call}
) < "$D/stdin" > "$D/stdout" 2> "$D/stderr"
over "$?"
`;
}

/** Says what the script says, from the beginning, until it has ended. Variables base, token. */
export const FOLLOW_SCRIPT = `${PLACES}
more() {
  s=$(wc -c < "$D/$1" 2> /dev/null) || s=$2
  if [ "$s" -gt "$2" ]; then tail -c "+$(($2 + 1))" "$D/$1" | head -c "$((s - $2))"; fi
}
o=0; e=0; n=0
while :; do
  if [ -e "$D/code" ] || ! alive; then over=1; else over=0; fi
  more stdout "$o"; o=$s
  more stderr "$e" >&2; e=$s
  [ "$over" = 0 ] || exit 0
  # Nobody listens any more.
  [ -d "/proc/$PPID" ] || exit 0
  n=$((n + 1))
  if [ "$n" -lt 20 ]; then sleep 0.05; elif [ "$n" -lt 60 ]; then sleep 0.2; else sleep 1; fi
done
`;

/** Says how it ended. Variables base, token. */
export const OUTCOME_OF_SCRIPT = `${PLACES}
if [ -e "$D/code" ]; then printf 'code %s\\ndone\\n' "$(cat "$D/code")"
elif [ ! -d "$D" ]; then fail gone
elif alive; then fail running
elif [ -e "$D/code" ]; then printf 'code %s\\ndone\\n' "$(cat "$D/code")"
else fail killed
fi
`;

/** Ends the script with its process group, or keeps it from beginning, and forgets it. Variables base, token, number. */
export const STOP_SCRIPT = `${PLACES}
mkdir -p "$S" && printf '%s\\n' "$number" > "$S/$token.done.new" && mv -f "$S/$token.done.new" "$S/$token.done"
[ -d "$D" ] || { printf 'done\\n'; exit 0; }
: > "$D/claim.stop"
if ! ln "$D/claim.stop" "$D/started" 2> /dev/null && [ ! -e "$D/code" ] && alive; then
  kill -s TERM -- "-$P" 2> /dev/null
  n=0
  while alive && [ "$n" -lt 20 ]; do sleep 0.1; n=$((n + 1)); done
  if alive; then
    kill -s KILL -- "-$P" 2> /dev/null
    n=0
    while alive && [ "$n" -lt 10 ]; do sleep 0.1; n=$((n + 1)); done
    if alive; then fail running; fi
  fi
fi
rm -rf "$D"
printf 'done\\n'
`;

/** Its end is stored: it goes, and a request of its attempt that comes late is refused. Variables base, token, number. */
export const SETTLE_SCRIPT = `${PLACES}
[ -d "$S" ] || { printf 'done\\n'; exit 0; }
printf '%s\\n' "$number" > "$S/$token.done.new" && mv -f "$S/$token.done.new" "$S/$token.done" || fail system "can not write to $S"
rm -rf "$D"
find "$S" -mindepth 1 -maxdepth 1 \\( -name '*.done' -o -name '.new.*' \\) -mtime +${REMEMBERED_DAYS} -exec rm -rf {} + 2> /dev/null
printf 'done\\n'
`;
