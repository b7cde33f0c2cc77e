#!/usr/bin/env bash
# Builds the image of this tree, unless it is in the registry.
# shellcheck source=deploy/image.sh
source "$(dirname "$0")/image.sh"

ensure_image
