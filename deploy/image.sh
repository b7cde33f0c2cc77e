# shellcheck shell=bash
# The image: its name, the search in the registry, and the build.
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The files in the image's build context.
sources="Dockerfile .dockerignore $(sed -n 's/^!//p' .dockerignore | tr '\n' ' ')"

# Sets $tag and $revision to those of the tree.
name_tree() {
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
    # Without git, or inside another repository. As for a tree with changes, the tag does not identify the tree.
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

# ensure_image: builds the image unless it is in the registry, or IMAGE names one. Sets $image to its name, and $built where it was built.
ensure_image() {
    local package=$region-docker.pkg.dev/$project/$repository/$image_name tag version revision digest before
    built=''
    if [[ -n $given_image ]]; then
        [[ -z ${IMAGE_TAG:-} ]] || fail "IMAGE is set in $env_file, and IMAGE_TAG on the command line" \
            "IMAGE_TAG names an image that make build built: remove one of them" 2
        image=$given_image
        say "image $image" "is that of IMAGE, not built"
        return
    fi
    if [[ -n ${IMAGE_TAG:-} ]]; then
        image=$package:$IMAGE_TAG
        find_tag "$IMAGE_TAG" || fail "there is no image $image" \
            "gcloud artifacts docker tags list $package lists the images; without IMAGE_TAG, the tree is built"
        say "image $image" "exists"
        return
    fi
    name_tree
    image=$package:$tag
    if find_tag "$tag" && [[ $revision != *-dirty && $revision != unknown ]]; then
        say "image $image" "exists, not built again"
        return
    fi
    before=$digest
    say "image $image" "is built by Cloud Build"
    submit || is_new "$before" || fail "there is no new image $image in the registry" "$(build_hint)"
    # shellcheck disable=SC2034  # job.sh uses it
    built=1
    say "image $image" built
}

# submit: builds $image in Cloud Build.
submit() {
    local build=(gcloud builds submit . --config deploy/cloudbuild.yaml --project "$project" --format none
        --service-account "projects/$project/serviceAccounts/$builder_account"
        --substitutions "_IMAGE=$image,_VERSION=$version,_REVISION=$revision")
    if watch "${build[@]}"; then
        return
    fi
    # A role that was granted a minute ago may not be known yet (DefangLabs/pulumi-defang#115).
    if [[ $(command_output) == *storage.objects.get* ]]; then
        say "image $image" "${builder_account%@*} may not read the source yet; next try in $((12 * pause)) s"
        sleep $((12 * pause))
        watch "${build[@]}"
        return
    fi
    return 1
}

# The command that lists the tags of the image, each with its version.
list_tags=(gcloud artifacts tags list --package "$image_name" --repository "$repository" --location "$region"
    --project "$project" --format 'value(name.basename(), version.basename())')

# find_tag <tag>: succeeds where the image has the tag. Sets $digest to its version.
find_tag() {
    digest=''
    if lookup "${list_tags[@]}"; then
        read_tag "$1" "$found"
        return
    fi
    # The repository is empty or missing. Where it is missing, fail before a build that cannot be pushed.
    lookup gcloud artifacts repositories describe "$repository" --location "$region" --project "$project" ||
        fail "repository $repository is not there in $region" "make setup-gcp creates it"
    return 1
}

# read_tag <tag> <list>: succeeds where the list has the tag. Sets $digest to its version.
read_tag() {
    local name
    while IFS=$'\t' read -r name digest; do
        [[ $name != "$1" ]] || return 0
    done <"$2"
    digest=''
    return 1
}

# is_new <version>: succeeds where the tag names another version now. gcloud may fail although the build succeeds, for
# example where it may not read the log (google-github-actions/setup-gcloud#105), or the connection is cut.
is_new() {
    "${list_tags[@]}" >"$work/tags" 2>/dev/null && read_tag "$tag" "$work/tags" && [[ $digest != "$1" ]]
}

# build_hint: prints the next step for a build without an image.
build_hint() {
    local build
    build=$(sed -n 's|^Created \[.*/builds/\(.*\)\]\.$|\1|p' "$work/stderr" | tail -n 1)
    if [[ $(command_output) == *storage.objects.get* ]]; then
        echo "make setup-permissions lets ${builder_account%@*} read the source; a new role needs some minutes: run it again"
    elif [[ -n $build ]]; then
        echo "gcloud builds log $build --project $project shows the log; run it again after the build has ended"
    else
        hint
    fi
}
