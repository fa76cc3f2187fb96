#!/bin/sh
# Builds $IMAGE with `docker buildx`, and pushes it when asked to: the contract of a custom build.
set -eu
if [ "$PUSH_IMAGE" = true ]; then
    # Several platforms (`devloop build --platform linux/amd64,linux/arm64`) need a builder that makes indexes:
    # `docker buildx create --use`.
    output=--push
else
    output=--load
fi
docker buildx build $output ${PLATFORMS:+--platform "$PLATFORMS"} --build-arg "BASE=${BASE:-docker.io/library}" --tag "$IMAGE" "$BUILD_CONTEXT"
