#!/bin/sh
# Copies a list of images into one registry: `sh examples/mirror.sh TARGET_REGISTRY/ <images.txt`.
# Each line of the list names an image; `#` starts a comment. An image that is already there costs
# two requests. The script copies all that it can, and fails if any image was not copied.
set -u
target=${1:?the target is missing: sh mirror.sh TARGET_REGISTRY/ <images.txt}
failed=0
# The last line may have no newline: read fails there, but has read it.
while read -r image comment || [ -n "$image" ]; do
    case $image in
        '' | '#'*) continue ;;
    esac
    case $comment in
        '' | '#'*) ;;
        *)
            echo "not copied: $image (the line has more than an image: $comment)" >&2
            failed=2
            continue
            ;;
    esac
    regimport copy --quiet "$image" "$target" </dev/null || {
        echo "not copied: $image (exit code $?)" >&2
        failed=1
    }
done
exit "$failed"
