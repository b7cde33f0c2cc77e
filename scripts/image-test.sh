#!/usr/bin/env bash
# Builds the container image twice with buildah, and runs the job in it with runc: without root rights, on a read-only root
# file system, against fake-gcs-server and the BigQuery emulator. It needs neither docker nor an image registry: the base
# images are local substitutes (scripts/image-bases.sh) in FINOPS_IMAGE_CACHE (~/.cache/finops-image). `make image-test`
# calls it, with FEATURES=duckdb where that is set.
#
# usage: image-test.sh <folder of the built bigquery-emulator>
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "image-test: $1" >&2
    [[ -z ${2:-} ]] || echo "hint: $2" >&2
    exit 1
}

step() {
    printf '\n== %s (%d s so far)\n' "$*" "$SECONDS"
}

export PATH=$PATH:/usr/sbin:/sbin
missing=()
for tool in buildah runc debootstrap jq git python3; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
((${#missing[@]} == 0)) || fail "not installed: ${missing[*]}" "on Debian and Ubuntu: apt-get install ${missing[*]}"
[[ $(id -u) == 0 ]] || fail "only root can build base images and run containers without a container engine" \
    "run it as root, for example in a virtual machine; with docker, \`docker build .\` builds the image"
emulator=$(cd "$1" && pwd)/bigquery-emulator

cache=${FINOPS_IMAGE_CACHE:-$HOME/.cache/finops-image}
mkdir -p "$cache"
exec 9>"$cache/lock"
flock --nonblock 9 || fail "another image-test is running in $cache" "wait for it, or set FINOPS_IMAGE_CACHE to another folder"
# Inside other containers, overlay may not work; vfs copies whole folders and works everywhere.
driver=overlay
buildah --storage-driver overlay --root "$cache/storage" --runroot "$cache/run" info &>/dev/null || driver=vfs
cat >"$cache/storage.conf" <<STORAGE
[storage]
driver = "$driver"
graphroot = "$cache/storage"
runroot = "$cache/run"
STORAGE
export CONTAINERS_STORAGE_CONF=$cache/storage.conf

# Removes the images built by this run, or by an earlier run that was killed. The base images are kept.
remove_built() {
    buildah rm --all
    buildah rmi --force finops finops-context
    buildah rmi --prune --force
    rm -rf "$cache"/test.*
} &>/dev/null

pids=()
clean() {
    set +e
    for name in $(runc --root "$work/runc" list --quiet 2>/dev/null); do
        runc --root "$work/runc" delete --force "$name"
    done
    ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null
    remove_built
}
remove_built || true
work=$(mktemp -d "$cache/test.XXXXXX")
trap clean EXIT

step "local base images"
mapfile -t bases < <(sed -n 's/^ARG \(RUST\|RUNTIME\)=//p' Dockerfile)
scripts/image-bases.sh "${bases[@]}"
buildah images --format '{{.Name}}:{{.Tag}}  {{.Size}}'

step "the build context"
# A copy of the tree, with files that must not be in an image.
context=$work/context
mkdir "$context"
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - | tar --extract --directory "$context"
mkdir -p "$context/.git" "$context/data" "$context/target" "$context/.cache"
for file in .env config.toml .git/HEAD data/finops.duckdb target/finops .cache/key; do
    echo secret >"$context/$file"
done
build=(buildah bud --isolation chroot --pull=never --volume /etc/ssl/certs:/etc/ssl/certs:ro)
printf 'FROM scratch\nCOPY . /\n' >"$work/Context"
"${build[@]}" --quiet --file "$work/Context" --tag finops-context "$context" >/dev/null
root=$(buildah mount "$(buildah from --pull-never finops-context)")
(cd "$root" && find . -type f -o -type l) | sort >"$work/in-context"
copied='Cargo\.(toml|lock)|build\.rs|emulator/build\.rs|(core|emulator|generator)/Cargo\.toml|(core/)?src/.*\.rs|scripts/duckdb-lib\.sh'
if grep -vxE "\./($copied)" "$work/in-context"; then
    fail "these files must not be in the build context" "exclude them in .dockerignore"
fi
echo "$(wc -l <"$work/in-context") files: manifests and sources, no .env, config.toml, .git, data, target"

# image <revision> <log>: builds the image, and prints the time and the number of compiled crates
image() {
    local started=$SECONDS
    "${build[@]}" --layers --build-arg VERSION="$version" --build-arg REVISION="$1" \
        --build-arg FEATURES="${FEATURES:-}" --tag finops "$context" >"$2" 2>&1 || {
        tail -n 40 "$2" >&2
        fail "the image cannot be built"
    }
    echo "$((SECONDS - started)) s, $(grep -c ' Compiling ' "$2") compiled, $(grep -c 'Using cache' "$2" || true) layers from the cache"
}
version=$(awk -F '"' '/^version/ { print $2; exit }' Cargo.toml)

step "the image, without a cache${FEATURES:+, with $FEATURES}"
image 1a2b3c4 "$work/first.log"

step "the image again, with another revision and a change in the code"
echo '// A change.' >>"$context/src/main.rs"
image 5d6e7f8 "$work/second.log"
compiled=$(awk '$1 == "Compiling" { print $2 }' "$work/second.log" | sort | tr '\n' ' ')
[[ $compiled == "finops finops-core " ]] || fail "a change in the code compiled $compiled, expected only finops and finops-core"

step "the configuration of the image"
buildah inspect --type image finops | jq '.OCIv1.config' >"$work/config.json"
jq --compact-output '{User, Entrypoint, Cmd, Labels}' "$work/config.json"
jq --exit-status --arg version "$version" '
    .User == "65532:65532" and .Entrypoint == ["/usr/local/bin/finops"] and .Cmd == ["run"]
    and (.Labels | with_entries(select(.key | startswith("org.opencontainers"))) == {
        "org.opencontainers.image.title": "finops", "org.opencontainers.image.licenses": "MIT",
        "org.opencontainers.image.version": $version, "org.opencontainers.image.revision": "5d6e7f8"
    })' "$work/config.json" >/dev/null || fail "the configuration of the image is wrong: $(cat "$work/config.json")"

buildah push --quiet finops "dir:$work/layers" >/dev/null
mapfile -t layers < <(jq --raw-output '.layers[].digest' "$work/layers/manifest.json" | sed 's/.*://')
# The first layer is the base image's.
files=() ours=0 packed=0 base=$(gzip -dc "$work/layers/${layers[0]}" | wc -c)
for layer in "${layers[@]:1}"; do
    mapfile -t -O "${#files[@]}" files < <(tar -tf "$work/layers/$layer" | grep -v '/$')
    ours=$((ours + $(gzip -dc "$work/layers/$layer" | wc -c)))
    packed=$((packed + $(wc -c <"$work/layers/$layer")))
done
echo "our layer: ${files[*]}"
echo "our layer: $ours bytes, $packed packed; the image: $((base + ours)) bytes, on the substitute for ${bases[1]}"
expected=usr/local/bin/finops
if [[ ",${FEATURES:-}," == *,duckdb,* ]]; then
    expected+=" usr/local/bin/libduckdb.so"
elif ((ours > 20 * 1000 * 1000)); then
    fail "our layer has $ours bytes, at most 20000000 are allowed"
fi
[[ ${files[*]} == "$expected" ]] || fail "our layer must have only $expected"

# wait_for <file> <pattern> <process>: waits until a line of the file has the pattern
wait_for() {
    local deadline=$((SECONDS + 30))
    until grep -q "$2" "$1" 2>/dev/null; do
        kill -0 "$3" 2>/dev/null || fail "the program ended before it printed '$2': $(tail -n 5 "$1")"
        ((SECONDS < deadline)) || fail "the program did not print '$2' within 30 s: $(tail -n 5 "$1")"
        sleep 0.1
    done
}

# emulate <log> <flag>...: starts an emulator and sets $bigquery to its address
emulate() {
    local log=$1
    shift
    "$emulator" --port 0 --project demo --storage "$storage" "$@" >"$log" 2>&1 &
    pids+=($!)
    wait_for "$log" BIGQUERY_EMULATOR_HOST $!
    bigquery=$(sed -n 's/^BIGQUERY_EMULATOR_HOST=//p' "$log")
}

step "local servers"
mkdir "$work/buckets"
cp -R examples/aws/first "$work/buckets/example-billing-bucket"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
storage=http://127.0.0.1:$port
.cache/bin/fake-gcs-server -scheme http -host 127.0.0.1 -port "$port" -backend memory -data "$work/buckets" \
    -public-host "127.0.0.1:$port" -external-url "$storage" >"$work/storage.log" 2>&1 &
pids+=($!)
wait_for "$work/storage.log" "server started at" $!
emulate "$work/bigquery.log"
echo "fake-gcs-server on $storage, the BigQuery emulator on $bigquery"

rootfs=$(buildah mount "$(buildah from --pull-never finops)")
mkdir "$work/data"
chown 65532 "$work/data"

# json <text>...: a JSON list
json() {
    (($# == 0)) || printf '%s\n' "$@" | jq --raw-input
}

# container <name> <argument>...: runs the image. The arguments replace its command; `settings` is the environment.
container() {
    local name=$1 bundle=$work/bundle-$1
    shift
    mkdir "$bundle"
    runc spec --bundle "$bundle"
    jq --slurpfile image "$work/config.json" --arg root "$rootfs" --arg data "$work/data" \
        --slurpfile settings <(json "${settings[@]}") --slurpfile arguments <(json "$@") '
        $image[0] as $image
        | ($image.User | split(":") | map(tonumber)) as [$uid, $gid]
        | .process = {
            user: {uid: $uid, gid: $gid}, cwd: $image.WorkingDir, env: ($image.Env + $settings), noNewPrivileges: true,
            args: ($image.Entrypoint + (if $arguments == [] then $image.Cmd else $arguments end))
        }
        | .root = {path: $root, readonly: true}
        | .mounts |= map(select(.destination == "/proc" or .destination == "/dev"))
            + [{destination: "/data", type: "bind", source: $data, options: ["bind", "rw"]}]
        # The network of this machine, because the servers are on its 127.0.0.1.
        | .linux.namespaces |= map(select(.type != "network"))
        ' "$bundle/config.json" >"$bundle/ours.json"
    mv "$bundle/ours.json" "$bundle/config.json"
    runc --root "$work/runc" run --bundle "$bundle" --pid-file "$bundle/pid" "$name"
}

# expect <exit code> <name> <argument>...: runs a container, writes its output to <name>.out and <name>.err, and checks the
# exit code
expect() {
    local expected=$1 name=$2 code=0
    shift
    container "$@" >"$work/$name.out" 2>"$work/$name.err" || code=$?
    ((code == expected)) || fail "$* ended with exit code $code, expected $expected: $(cat "$work/$name.out" "$work/$name.err")"
}

# loads_once <name>: checks that the first run loads three months with the right figures, and the second run does nothing
loads_once() {
    expect 0 "$1-first"
    cat "$work/$1-first.out"
    expect 0 "$1-second" run --output json
    [[ $(jq --compact-output '[.pipelines[].months[].status]' "$work/$1-second.out") == '["skipped","skipped","skipped"]' ]] ||
        fail "the second run did not skip all months: $(cat "$work/$1-second.out")"
    expect 0 "$1-status" status --output json
    jq --exit-status --slurpfile expected examples/aws/first.expected.json '
        [.[].months[] | {key: .billing_period, value: {rows, unblended_cost: .cost}}] | from_entries
        | . == ($expected[0] | map_values({rows, unblended_cost}))' "$work/$1-status.out" >/dev/null ||
        fail "the loaded months differ from the figures of scripts/expected.py: $(cat "$work/$1-status.out")"
    echo "the second run skipped all three months; rows and cost equal examples/aws/first.expected.json"
}

job=(PIPELINE=aws AWS_GCS_BUCKET=example-billing-bucket AWS_GCS_PREFIX=cur AWS_EXPORT_NAME=cost-and-usage
    AWS_DATASET=billing AWS_TABLE_NAME=aws_cur STORAGE_EMULATOR_HOST="$storage")
# Cloud Run sets CLOUD_RUN_JOB; logs are JSON then.
cloud=("${job[@]}" GCP_PROJECT_ID=demo CLOUD_RUN_JOB=finops-aws)

step "finops run, on a read-only root file system"
settings=("${cloud[@]}" BIGQUERY_EMULATOR_HOST="$bigquery")
loads_once bigquery

if [[ ",${FEATURES:-}," == *,duckdb,* ]]; then
    step "finops run into DuckDB, in a mounted folder"
    settings=("${job[@]}" WAREHOUSE=duckdb DUCKDB_PATH=/data/finops.duckdb TMPDIR=/data)
    loads_once duckdb
fi

step "finops --version"
expect 0 version --version
cat "$work/version.out"
[[ $(cat "$work/version.out") == "finops $version (5d6e7f8)" ]] || fail "expected finops $version (5d6e7f8)"

step "a wrong configuration"
settings=(PIPELINE=aws)
expect 2 wrong
cat "$work/wrong.err"

step "SIGTERM during a job of BigQuery"
# The emulator's load jobs take an hour.
emulate "$work/slow.log" --job-duration 3600000 --log
settings=("${cloud[@]}" BIGQUERY_EMULATOR_HOST="$bigquery")
container held >"$work/held.out" 2>"$work/held.err" &
run=$!
wait_for "$work/slow.log" '^POST /bigquery/v2/projects/demo/jobs ' "$run"
process=$(cat "$work/bundle-held/pid")
awk '$1 == "Uid:" { print "user", $2 } $1 == "NSpid:" { print "process", $NF, "of its container" }' "/proc/$process/status"
sent=$(date +%s%N)
runc --root "$work/runc" kill held TERM
timeout 10 tail --pid="$run" --sleep-interval 0.1 --follow /dev/null || fail "the run did not end within 10 s after SIGTERM; Cloud Run would kill it"
took=$((($(date +%s%N) - sent) / 1000000))
code=0
wait "$run" || code=$?
echo "ended with exit code $code, $took ms after SIGTERM; its log:"
cat "$work/held.err"
((code == 143)) || fail "expected exit code 143"
jq --exit-status --slurp 'any(.severity == "WARNING" and (.message | startswith("stopped by a signal")))' "$work/held.err" >/dev/null ||
    fail "no line of the log reports that a signal stopped the run"

cat <<SUMMARY

image-test: passed in $SECONDS s. The base images were local substitutes, so the test does not show: that ${bases[0]}
has the compiler that the code needs (here: $(rustc --version)), that ${bases[1]}
has the libraries and certificates that the binary needs, and the size of the whole image.
SUMMARY
