#!/usr/bin/env bash
# Builds the image of the job and pushes it to GitHub's registry, as <version> of the tag. For .github/workflows/release.yml,
# whose runner sets the variables below. Not run yet.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GITHUB_REPOSITORY:?}" "${GITHUB_REF_NAME:?}" "${GITHUB_ACTOR:?}" "${GITHUB_TOKEN:?}" "${GITHUB_OUTPUT:?}"

version=${GITHUB_REF_NAME#v}
# Names of images have no capitals.
image=ghcr.io/$(tr '[:upper:]' '[:lower:]' <<<"$GITHUB_REPOSITORY")

docker login ghcr.io --username "$GITHUB_ACTOR" --password-stdin <<<"$GITHUB_TOKEN"
docker build --tag "$image:$version" --build-arg VERSION="$version" --build-arg REVISION="$(git rev-parse --short=12 HEAD)" .
docker push "$image:$version"
digest=$(docker image inspect --format '{{index .RepoDigests 0}}' "$image:$version")
# The next steps describe and sign exactly this image.
printf 'image=%s\ndigest=%s\n' "$image" "${digest#*@}" >>"$GITHUB_OUTPUT"
echo "$digest"
