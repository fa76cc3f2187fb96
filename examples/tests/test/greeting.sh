#!/bin/sh
# The image says what it should, before anything is deployed.
set -eu
said=$(docker run --rm "$IMAGE" -print)
wanted=$(cat test/greeting.txt)
if [ "$said" != "$wanted" ]; then
	echo "it says \"$said\", not \"$wanted\"" >&2
	exit 1
fi
