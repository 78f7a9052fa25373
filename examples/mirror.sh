#!/bin/sh
# Copies a list of images into one registry: `sh examples/mirror.sh TARGET_REGISTRY/ <images.txt`.
# Each line of the list names an image; `#` starts a comment. An image that is already there costs
# two requests. All that can be copied is, several at once; the exit code is not 0 if any was not.
set -eu
target=${1:?the target is missing: sh mirror.sh TARGET_REGISTRY/ <images.txt}
exec regimport copy --from-file - --target "$target"
