#!/usr/bin/env bash
# Builds local substitutes for the two base images of the Dockerfile, under their names, because an image registry may be
# unreachable: Debian with a C compiler and this machine's Rust, and the packages of distroless/cc. Does nothing where they
# exist. scripts/image-test.sh calls this script and configures buildah's storage.
#
# usage: image-bases.sh <name of the builder> <name of the runtime>
set -euo pipefail
cd "$(dirname "$0")/.."

builder=$1 runtime=$2
[[ $builder$runtime != *@* ]] || {
    echo "image-bases: the Dockerfile names digests, which have no substitutes: $builder, $runtime" >&2
    echo "hint: use tags in the Dockerfile, and give digests as build arguments" >&2
    exit 1
}
# The Debian release, such as bookworm in rust:1.95-bookworm.
release=${builder##*-}
made_from="$(rustc --version), $(sha256sum <"$0")"

is_made() {
    [[ "$(buildah inspect --type image --format '{{index .OCIv1.Config.Labels "made-from"}}' "$1" 2>/dev/null)" == "$made_from" ]]
}
if is_made "$builder" && is_made "$runtime"; then
    exit 0
fi

toolchain=$(rustc --print sysroot)
[[ -x $toolchain/bin/cargo ]] || {
    echo "image-bases: there is no cargo in $toolchain" >&2
    echo "hint: use a toolchain of rustup" >&2
    exit 1
}

containers=()
new_container() {
    container=$(buildah from scratch)
    containers+=("$container")
    root=$(buildah mount "$container")
}
trap '((${#containers[@]} == 0)) || buildah rm "${containers[@]}" >/dev/null' EXIT

# commit <name> <buildah config flag>...
commit() {
    local name=$1
    shift
    buildah config --label made-from="$made_from" "$@" "$container"
    buildah commit --quiet --rm=false "$container" "$name" >/dev/null
}

echo "image-bases: building a substitute for $builder, once" >&2
new_container
debootstrap --variant=minbase --include=gcc,libc6-dev,ca-certificates "$release" "$root" >&2
mkdir -p "$root/usr/local/bin" "$root/usr/local/lib"
cp "$toolchain/bin/cargo" "$toolchain/bin/rustc" "$root/usr/local/bin/"
cp -R "$toolchain"/lib/*.so* "$toolchain/lib/rustlib" "$root/usr/local/lib/"
commit "$builder" --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

echo "image-bases: building a substitute for $runtime, once" >&2
packages=$root/var/cache/runtime
mkdir "$packages"
# shellcheck disable=SC2016 # The shell in the chroot expands it.
chroot "$root" sh -c '
    set -e
    cd /var/cache/runtime
    apt-get update --quiet=2
    apt-get download --quiet=2 --option APT::Sandbox::User=root "$@"
    for package in *.deb; do dpkg-deb --extract "$package" root; done' - \
    base-files gcc-12-base libc6 libgcc-s1 libgomp1 libstdc++6 tzdata >&2
certificates=$root/etc/ssl/certs/ca-certificates.crt
new_container
cp -a "$packages/root/." "$root/"
install -D -m 644 "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
printf '%s\n' 'root:x:0:0:root:/root:/sbin/nologin' 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
install -d -o 65532 -g 65532 -m 700 "$root/home/nonroot"
commit "$runtime" --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt --workingdir /home/nonroot \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
