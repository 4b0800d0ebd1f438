# For scripts that are run, not by itself: a node in a network namespace of its own, for clients that nobody here wrote
# and that speak WHIP and WHEP. Sets python, motet, url, work, children and the tokens; see row, skip and told.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

venv=${TMPDIR:-/tmp}/motet-foreign-whip
packages=('imageio-ffmpeg==0.8.1' 'aiortc==1.16.*')

# In the namespace there is no network to install from.
if [ "${FOREIGN_NAMESPACE:-}" = "" ]; then
  if ! { [ -x "$venv/bin/python3" ] || python3 -m venv "$venv"; } || ! "$venv/bin/pip" install -q "${packages[@]}"; then
    echo "PyPI's packages cannot be installed: ${packages[*]}" >&2
    exit 1
  fi
  FOREIGN_NAMESPACE=1 exec unshare --net "$PWD/tests/foreign/$(basename "$0")" "$@"
fi

motet=${MOTET_BIN:-target/debug/motet}
# It looks like a setting and is none: the node would refuse it.
unset MOTET_BIN
python=$venv/bin/python3
# An address for documentation: clients leave those of loopback out.
address=198.51.100.1
whip_token=foreign-clients-publish
whep_token=foreign-clients-watch
admin_token=foreign-clients-look-on

work=$(mktemp -d)
children=()
# shellcheck disable=SC2317
stop() {
  [ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap stop EXIT

failed=0
skipped=()

network() {
  ip link set lo up && ip link add m0 type veth peer name m1 && ip address add "$address/24" dev m0 &&
    ip link set m0 up && ip link set m1 up
}

start_node() {
  local http
  MOTET_WHIP_TOKEN=$whip_token MOTET_WHEP_TOKEN=$whep_token MOTET_ADMIN_TOKEN=$admin_token "$motet" --http-listen "$address:0" \
    --media-port 0 --media-ip "$address" --data-dir "$work/data" >"$work/node" 2>&1 &
  children+=($!)
  for _ in $(seq 100); do
    http=$(sed -n 's/^listening http=\([^ ]*\) .*/\1/p' "$work/node")
    url=http://$http
    [ -n "$http" ] && return
    sleep 0.1
  done
  cat "$work/node" >&2
  return 1
}

# A row of the table: what is shown, whether it was, and what was seen.
row() {
  printf '%-52s %-6s %s\n' "$1" "$2" "$3"
  [ "$2" = OK ] || failed=1
}

skip() {
  skipped+=("$1: $2")
}

# Says who was skipped, and ends with what the rows said.
told() {
  local line
  for line in "${skipped[@]+"${skipped[@]}"}"; do
    echo "skipped $line"
  done
  exit "$failed"
}
