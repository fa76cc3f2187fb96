#!/bin/sh
# Builds $IMAGE, and pushes it when asked to: the contract of a custom build.
set -eu
docker build --quiet --build-arg "BASE=${BASE:-docker.io/library}" --tag "$IMAGE" "$BUILD_CONTEXT"
if [ "$PUSH_IMAGE" = true ]; then
    docker push --quiet "$IMAGE"
fi
