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
    local package=$region-docker.pkg.dev/$project/$repository/$image_name tag version revision digest before
    built=''
    if [[ -n ${IMAGE_TAG:-} ]]; then
        image=$package:$IMAGE_TAG
        find_tag "$IMAGE_TAG" || fail "there is no image $image" \
            "gcloud artifacts docker tags list $package lists those that are; without IMAGE_TAG, the tree is built"
        say "image $image" "there already"
        return
    fi
    name_tree
    image=$package:$tag
    if find_tag "$tag" && [[ $revision != *-dirty && $revision != unknown ]]; then
        say "image $image" "there already, not built again"
        return
    fi
    before=$digest
    say "image $image" "is built by Cloud Build"
    submit || is_new "$before" || fail "there is no new image $image in the registry" "$(build_hint)"
    # shellcheck disable=SC2034  # job.sh asks for it
    built=1
    say "image $image" built
}

# submit: has Cloud Build build $image.
submit() {
    local build=(gcloud builds submit . --config deploy/cloudbuild.yaml --project "$project" --format none
        --substitutions "_IMAGE=$image,_VERSION=$version,_REVISION=$revision")
    if watch "${build[@]}"; then
        return
    fi
    # A role that was given a minute ago may not be known yet (DefangLabs/pulumi-defang#115).
    if [[ $(said) == *storage.objects.get* ]]; then
        say "image $image" "finops-builder may not read the source yet; tried again in $((12 * pause)) s"
        sleep $((12 * pause))
        watch "${build[@]}"
        return
    fi
    return 1
}

# The command that lists the tags of the image, each with the version that it names.
list_tags=(gcloud artifacts tags list --package "$image_name" --repository "$repository" --location "$region"
    --project "$project" --format 'value(name.basename(), version.basename())')

# find_tag <tag>: whether the image has it. The version that it names is in $digest.
find_tag() {
    digest=''
    if lookup "${list_tags[@]}"; then
        read_tag "$1" "$found"
        return
    fi
    # Nothing was ever pushed there, or there is no repository: say so before a build that cannot be pushed.
    lookup gcloud artifacts repositories describe "$repository" --location "$region" --project "$project" ||
        fail "repository $repository is not there in $region" "make setup-gcp makes it"
    return 1
}

# read_tag <tag> <list>: whether the list has it, and which version it names, in $digest.
read_tag() {
    local name
    while IFS=$'\t' read -r name digest; do
        [[ $name != "$1" ]] || return 0
    done <"$2"
    digest=''
    return 1
}

# is_new <version>: whether the tag names another one by now. gcloud may fail where the build does not, such as where it may
# not read the log (google-github-actions/setup-gcloud#105), or the connection is cut.
is_new() {
    "${list_tags[@]}" >"$work/tags" 2>/dev/null && read_tag "$tag" "$work/tags" && [[ $digest != "$1" ]]
}

# build_hint: the next step for a build that did not bring an image.
build_hint() {
    local build
    build=$(sed -n 's|^Created \[.*/builds/\(.*\)\]\.$|\1|p' "$work/stderr" | tail -n 1)
    if [[ $(said) == *storage.objects.get* ]]; then
        echo "make setup-permissions lets finops-builder read the source; a role counts some minutes after it was given: run it again"
    elif [[ -n $build ]]; then
        echo "gcloud builds log $build --project $project shows how far it came; run it again when it has ended"
    else
        hint
    fi
}
