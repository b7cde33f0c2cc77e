# shellcheck shell=bash
# The image: its name, whether it is in the registry, and how it is built there.
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What the image is made from.
sources="Dockerfile .dockerignore $(sed -n 's/^!//p' .dockerignore | tr '\n' ' ')"

# The tag and the revision of the tree, in $tag and $revision.
name_tree() {
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
    # Without git, or unpacked into the repository of something else. As with changes, the tag does not tell two trees apart.
    if ! git ls-files --error-unmatch Dockerfile >/dev/null 2>&1; then
        tag=$version revision=unknown
        return
    fi
    tag=$(git rev-parse --short=12 HEAD)
    # shellcheck disable=SC2086  # words
    if [[ -n $(git status --porcelain -- $sources) ]]; then
        tag+=-dirty
    fi
    revision=$tag
}

# ensure_image: has the image in the registry. Its name is in $image; $built says whether it was built now.
ensure_image() {
    local package=$region-docker.pkg.dev/$project/$repository/$image_name tag version revision
    built=''
    if [[ -n ${IMAGE_TAG:-} ]]; then
        image=$package:$IMAGE_TAG
        is_there "$IMAGE_TAG" || fail "there is no image $image" \
            "gcloud artifacts docker tags list $package lists those that are; without IMAGE_TAG, the tree is built"
        say "image $image" "there already"
        return
    fi
    name_tree
    image=$package:$tag
    if [[ $revision != *-dirty && $revision != unknown ]] && is_there "$tag"; then
        say "image $image" "there already, not built again"
        return
    fi
    say "image $image" "is built by Cloud Build"
    watch gcloud builds submit . --config deploy/cloudbuild.yaml --project "$project" --format none \
        --substitutions "_IMAGE=$image,_VERSION=$version,_REVISION=$revision" ||
        fail "the image was not built" "$(hint)"
    # shellcheck disable=SC2034  # job.sh asks for it
    built=1
    say "image $image" built
}

# is_there <tag>
is_there() {
    if lookup gcloud artifacts tags list --package "$image_name" --repository "$repository" --location "$region" \
        --project "$project" --format 'value(name.basename())'; then
        grep -qxF -e "$1" "$found"
        return
    fi
    # Nothing was ever pushed there, or there is no repository: say so before a build that cannot be pushed.
    lookup gcloud artifacts repositories describe "$repository" --location "$region" --project "$project" ||
        fail "repository $repository is not there in $region" "make setup-gcp makes it"
    return 1
}
