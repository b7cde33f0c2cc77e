# shellcheck shell=bash
# Functions for benchmarks that start servers. $work is a temporary folder; it and the servers are removed at the end.

work=$(mktemp -d)
servers=()
finish() {
    ((${#servers[@]} == 0)) || kill "${servers[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for <name> <port>
wait_for() {
    for _ in {1..100}; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then return; fi
        sleep 0.1
    done
    echo "error: $1 does not answer on port $2 after 10 s; its output:" >&2
    cat "$work/$1.log" >&2
    exit 1
}
