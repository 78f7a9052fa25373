#!/bin/sh
# Copies a list of images into one registry: `sh examples/mirror.sh TARGET_REGISTRY/ <images.txt`.
# What is there already costs two requests; the script fails if any image did.
set -u
target=$1
failed=0
while read -r image; do
    [ -n "$image" ] || continue
    regimport copy --quiet "$image" "$target" </dev/null || {
        echo "not copied: $image (exit code $?)" >&2
        failed=1
    }
done
exit $failed
