# Sourced by the start scripts of this folder. What they share: where things are installed, which Python and Node.js run
# them, and how a server is started, waited for and stopped.

REAL_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REAL_CACHE=${SYNCLINE_REAL_DIR:-${TMPDIR:-/tmp}/syncline-real}
REAL_READY_SECONDS=90
mkdir -p "$REAL_CACHE"

say() { echo "$*" >&2; }
die() { say "error: $*"; exit 1; }
# lacking WHAT: ends with a code that says that something has to be installed first.
lacking() { say "error: $*"; exit 3; }

# real_install NAME FUNCTION FILE...: calls FUNCTION in an empty folder of the cache, once for each content of the files,
# and sets REAL_HOME to that folder. Only one process installs at a time; what was cut off half-way is made again. With
# SYNCLINE_REAL_INSTALL=no nothing is fetched: what is not there yet ends the script with code 3.
real_install() {
  local name=$1 install=$2 lock
  shift 2
  REAL_HOME=$REAL_CACHE/$name-$(cat "$@" | sha256sum | cut -c 1-12)
  [ -e "$REAL_HOME/.complete" ] && return
  [ "${SYNCLINE_REAL_INSTALL:-yes}" != no ] || lacking "$name is not installed"
  exec {lock}>"$REAL_CACHE/$name.lock"
  flock "$lock"
  if [ ! -e "$REAL_HOME/.complete" ]; then
    say "installing $name in $REAL_HOME"
    rm -rf "$REAL_HOME"
    mkdir -p "$REAL_HOME"
    (cd "$REAL_HOME" && "$install") >&2 || die "$name could not be installed"
    touch "$REAL_HOME/.complete"
  fi
  exec {lock}>&-
}

# real_template COUNT FUNCTION: sets REAL_TEMPLATE to a database with COUNT records, made by `FUNCTION FOLDER COUNT` at
# the first call.
real_template() {
  local count=$1 make=$2 lock
  REAL_TEMPLATE=$REAL_HOME/template-$count
  [ -d "$REAL_TEMPLATE" ] && return
  exec {lock}>"$REAL_HOME/template.lock"
  flock "$lock"
  if [ ! -d "$REAL_TEMPLATE" ]; then
    say "filling a database with $count records"
    rm -rf "$REAL_TEMPLATE.new"
    mkdir -p "$REAL_TEMPLATE.new"
    "$make" "$REAL_TEMPLATE.new" "$count" >&2 || die "the database could not be filled"
    mv "$REAL_TEMPLATE.new" "$REAL_TEMPLATE"
  fi
  exec {lock}>&-
}

# need_python: sets REAL_PYTHON to a Python of at least 3.10 that can make virtual environments.
need_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.12 python3.13 python3.11 python3.10 python3 "$HOME"/.pyenv/versions/3.1[0-3].*/bin/python; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      REAL_PYTHON=$candidate
      return
    fi
  done
  lacking "no Python of 3.10 or newer with venv was found"
}

# need_node: puts a Node.js of at least 22 in front of PATH, from the registry where the machine's own is older.
need_node() {
  local major
  major=$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/')
  [ "${major:-0}" -ge 22 ] && return
  command -v npm >/dev/null || lacking "npm was not found"
  local home=${REAL_HOME:-}
  real_install node install_node "$REAL_HERE/node-version"
  export PATH="$REAL_HOME/bin:$PATH"
  REAL_HOME=$home
}

install_node() {
  local arch=x64
  [ "$(uname -m)" = aarch64 ] && arch=arm64
  npm install --prefix . --no-audit --no-fund --loglevel=error "node-linux-$arch@$(cat "$REAL_HERE/node-version")"
  ln -s "node_modules/node-linux-$arch" node
  ln -s node/bin bin
}

# free_port: prints a port of 127.0.0.1 that nothing listens on.
free_port() {
  "${REAL_PYTHON:-python3}" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# launch FOLDER PROBE COMMAND...: starts the server in the background, waits until PROBE (a URL) answers anything at all,
# and leaves FOLDER/pid and FOLDER/log. With SYNCLINE_REAL_OWNER (a process id), the server ends with that process.
launch() {
  local folder=$1 probe=$2 pid
  shift 2
  setsid "$@" >"$folder/log" 2>&1 </dev/null &
  pid=$!
  echo "$pid" >"$folder/pid"
  if [ -n "${SYNCLINE_REAL_OWNER:-}" ]; then
    watch_owner "$SYNCLINE_REAL_OWNER" "$pid" >/dev/null 2>&1 </dev/null &
  fi
  local deadline=$((SECONDS + REAL_READY_SECONDS))
  until curl --silent --output /dev/null --max-time 2 "$probe"; do
    kill -0 "$pid" 2>/dev/null || { tail -n 20 "$folder/log" >&2; die "the server ended at once"; }
    [ "$SECONDS" -lt "$deadline" ] || { kill "$pid"; tail -n 20 "$folder/log" >&2; die "$probe does not answer"; }
    sleep 0.1
  done
}

watch_owner() {
  while kill -0 "$2"; do
    kill -0 "$1" || { kill "$2"; return; }
    sleep 1
  done
}

# report URL FOLDER: the one line that a start script prints.
report() { printf '{"url":"%s","pid":%s}\n' "$1" "$(cat "$2/pid")"; }
