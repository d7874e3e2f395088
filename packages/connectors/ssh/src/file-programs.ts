/** What undos put back is kept so long; a file of a month ago is hardly what is wanted now. Days. */
export const KEPT_DAYS = 90;

/**
 * Where Tutti keeps its things on the host: B, from `base`. For each call that changes something there is a directory F with the token as its name:
 * `before` (what `meta` said), `content` (the file itself, with its rights), `wrote` (what the call makes of it, a line before each step). A later
 * attempt of the token knows by `wrote` that what is there is its own work, and answers with `before`.
 */
const PLACES = `
case $base in /*) B=$base;; *) B=$HOME/$base;; esac
F=$B/files/$token
note() {
  trying mkdir -p "$F"
  find "$B/files" -mindepth 1 -maxdepth 1 -mtime +${KEPT_DAYS} -exec rm -rf {} + 2> /dev/null
  rm -f "$F/before" "$F/wrote"
  if [ -f "$1" ]; then trying cp -p -- "$1" "$F/content"; fi
  printf '%s\\n' "$2" > "$F/before" || fail system "can not write to $F"
}
wrote() { printf '%s\\n' "$1" >> "$F/wrote" || fail system "can not write to $F"; }
ours() { [ -f "$F/before" ] && [ -f "$F/wrote" ] && grep -qxF -e "$1" "$F/wrote"; }
result() { printf 'before %s\\nnow %s\\ndone\\n' "$1" "$2"; exit 0; }
`;

/** A link is followed: what it stands for is written, and the link stays. */
const FOLLOWED = `
if [ -L "$path" ]; then path=$(readlink -f -- "$path") || fail dangling; fi
parent=\${path%/*}; [ -n "$parent" ] || parent=/
T=$parent/.tutti-$token
`;

const RIGHTS = `
# The mode and owner that are wanted, or those of what is there: of $1 like $M.
rights() {
  R=$M; O=\${R#*|}; O=\${O#*|}; G=\${O#*|}; O=\${O%%|*}; G=\${G%%|*}
  U=\${R#*|}; U=\${U%%|*}
  case $R in file*|directory*) ;; *) O=; G=; U=$2;; esac
  [ -z "$owner" ] || O=$owner
  [ -z "$group" ] || G=$group
  [ -z "$mode" ] || U=$mode
  [ -z "$O" ] || [ "$O" = "$(stat -c %U -- "$1")" ] || trying chown -- "$O" "$1"
  [ -z "$G" ] || [ "$G" = "$(stat -c %G -- "$1")" ] || trying chgrp -- "$G" "$1"
  trying chmod -- "$U" "$1"
}
`;

/** Reads the content from the input: variables path, mode, owner, group, sha256, base, token, only (1: say what would be). */
export const WRITE_FILE = `${PLACES}${FOLLOWED}${RIGHTS}
[ -d "$parent" ] || fail no-parent "$parent"
meta "$path"; cur=$M
case $cur in absent|file*) ;; *) fail not-a-file "$cur";; esac
if [ "$only" = 1 ]; then result "$cur" "$cur"; fi
trap 'rm -f "$T"' EXIT
E=$( { cat > "$T"; } 2>&1 ) || fail system "$E"
S=$(sha256sum < "$T") || fail system "$T can not be read"
[ "\${S%% *}" = "$sha256" ] || fail cut
M=$cur; rights "$T" 644
sync "$T" 2> /dev/null
meta "$T"; new=$M
if ours "$cur"; then before=$(cat "$F/before"); else before=$cur; [ "$new" = "$cur" ] || note "$path" "$cur"; fi
if [ "$new" != "$cur" ]; then wrote "$new"; trying mv -f -- "$T" "$path"; fi
result "$before" "$new"
`;

/** Variables path, base, token, only. */
export const DELETE_FILE = `${PLACES}
meta "$path"; cur=$M
case $cur in absent|file*) ;; *) fail not-a-file "$cur";; esac
if [ "$only" = 1 ]; then result "$cur" absent; fi
if [ "$cur" = absent ]; then
  if ours absent; then result "$(cat "$F/before")" absent; else result absent absent; fi
fi
note "$path" "$cur"; wrote absent
trying rm -f -- "$path"
result "$cur" absent
`;

/** Variables path, before, after, base, token (of the call that is taken back), only. */
export const RESTORE_FILE = `${PLACES}${FOLLOWED}
meta "$path"; cur=$M
if [ "$cur" = "$before" ]; then result "$cur" "$before"; fi
[ "$cur" = "$after" ] || fail changed "$cur"
if [ "$before" != absent ] && [ ! -f "$F/content" ]; then fail not-kept "$F"; fi
if [ "$only" = 1 ]; then result "$cur" "$before"; fi
if [ "$before" = absent ]; then trying rm -f -- "$path"
else
  [ -d "$parent" ] || fail no-parent "$parent"
  trap 'rm -f "$T"' EXIT
  trying cp -p -- "$F/content" "$T"
  meta "$T"; [ "$M" = "$before" ] || fail not-kept "$F"
  trying mv -f -- "$T" "$path"
fi
result "$cur" "$before"
`;

/** What was kept for the call of the token goes. Variables base, token. */
export const FORGET = `${PLACES}
rm -rf "$F"
printf 'done\\n'
`;

/** Variables path, max (bytes). The content comes after the answer. */
export const READ_FILE = `
[ ! -L "$path" ] || path=$(readlink -f -- "$path") || fail absent
meta "$path"
case $M in file*) ;; *) fail "\${M%%|*}";; esac
[ "$(stat -c %s -- "$path")" -le "$max" ] || fail too-large
printf 'now %s\\ndone\\n' "$M"
cat -- "$path"
`;

/** Variables path, mode, owner, group, base, token, only. The outermost directory that is made is kept in `top`. */
export const ENSURE_DIRECTORY = `${PLACES}${FOLLOWED}${RIGHTS}
meta "$path"; cur=$M
case $cur in absent|directory*) ;; *) fail not-a-directory "$cur";; esac
top=$path
if [ "$cur" = absent ]; then
  while q=\${top%/*}; [ -n "$q" ] && [ ! -d "$q" ]; do [ ! -e "$q" ] || fail not-a-directory "$q"; top=$q; done
fi
if [ "$only" = 1 ]; then printf 'top %s\\n' "$top"; result "$cur" "$cur"; fi
if ours "$cur" || { [ -f "$F/top" ] && [ "$(cat "$F/before")" = "$cur" ]; }; then before=$(cat "$F/before"); top=$(cat "$F/top")
else before=$cur; note "" "$cur"; printf '%s\\n' "$top" > "$F/top" || fail system "can not write to $F"; fi
if [ "$cur" = absent ]; then
  E=$(umask 022; mkdir -p -- "$parent" 2>&1) || fail system "$E"
  trap 'rmdir "$T" 2> /dev/null' EXIT
  [ -d "$T" ] || trying mkdir -- "$T"
  M=$cur; rights "$T" 755
  meta "$T"; wrote "$M"
  trying mv -- "$T" "$path"
else
  # The names that the system gives to what is wanted, before anything is changed.
  [ -d "$F/like" ] || trying mkdir -- "$F/like"
  M=$cur; rights "$F/like" 755
  meta "$F/like"; new=$M
  o=\${new#*|}; o=\${o#*|}; u=\${cur#*|}; u=\${u%%|*}
  wrote "directory|$u|$o"; wrote "directory|$u|\${o%%|*}|\${cur##*|}"; wrote "$new"
  M=$cur; rights "$path" 755
fi
meta "$path"
printf 'top %s\\n' "$top"
result "$before" "$M"
`;

/** Variables path, before, after, top, only. */
export const RESTORE_DIRECTORY = `
meta "$path"; cur=$M
result() { printf 'before %s\\nnow %s\\ndone\\n' "$1" "$2"; exit 0; }
if [ "$cur" = "$before" ]; then result "$cur" "$before"; fi
[ "$cur" = "$after" ] || fail changed "$cur"
if [ "$before" = absent ] && [ -n "$(ls -A -- "$path")" ]; then fail not-empty; fi
if [ "$only" = 1 ]; then result "$cur" "$before"; fi
if [ "$before" = absent ]; then
  trying rmdir -- "$path"
  q=$path
  # What others have put into the directories above stays, and those with it.
  while [ "$q" != "$top" ] && q=\${q%/*} && [ -n "$q" ] && rmdir -- "$q" 2> /dev/null; do :; done
else
  rest=\${before#*|}; u=\${rest%%|*}; rest=\${rest#*|}
  trying chown -- "\${rest%%|*}:\${rest##*|}" "$path"
  trying chmod -- "$u" "$path"
fi
result "$cur" "$before"
`;

/**
 * The directories, one a line, are the input. The rest of the answer: a line of `stat` for each, then `sums`, a line of `sha256sum` for each file, then
 * `end`. Variable max. Names of two lines are left out, and so are ours.
 */
export const LIST = `
printf 'done\\n'
N='*
*'
tops=$(cat)
each() { printf '%s\\n' "$tops" | while IFS= read -r top; do [ ! -d "$top" ] || find "$top" -xdev "$@"; done; }
each \\( -type f -o -type d \\) ! -name '.tutti-*' ! -path "$N" -exec stat -c '%F|%a|%U|%G|%s|%n' {} + | head -n "$max"
echo sums
each -type f ! -name '.tutti-*' ! -path "$N" -exec sha256sum {} + | head -n "$max"
echo end
`;
