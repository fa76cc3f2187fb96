#!/bin/sh
# Builds $IMAGE with buildah, without a container daemon, and pushes it: the contract of a custom build.
set -eu
# A registry of this machine has no TLS.
case $IMAGE in localhost:* | 127.0.0.1:*) tls=false ;; *) tls=true ;; esac
buildah build --isolation chroot --layers --tls-verify="$tls" --platform "${PLATFORMS:-linux/$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')}" \
    --build-arg "BASE=${BASE:-docker.io/library}" --tag "$IMAGE" "$BUILD_CONTEXT"
if [ "$PUSH_IMAGE" = true ]; then
    buildah push --tls-verify="$tls" "$IMAGE"
else
    # What a cluster on this machine's container daemon runs from there.
    buildah push "$IMAGE" "docker-daemon:$IMAGE"
fi
