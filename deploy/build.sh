#!/usr/bin/env bash
# Has the image of this tree in the registry.
# shellcheck source=deploy/image.sh
source "$(dirname "$0")/image.sh"

ensure_image
