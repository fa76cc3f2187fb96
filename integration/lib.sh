# Shared by the scripts of this folder: where things are, and saying what is done.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
integration=$root/integration
devcluster=$integration/cluster/devcluster

say() { printf '\n==> %s\n' "$*"; }

# The binary that the tests start.
debug_binary() { echo "$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/debug/devloop"; }

# The cluster, its registry and the base images: made where they are missing.
set_up() {
    say "Debian packages and the cluster's components (about 6 minutes the first time)"
    "$devcluster" install
    say "helm, kustomize and the plug-ins of docker (about 8 minutes the first time)"
    "$integration/tools/install"
    say "Cluster, registry and container daemon"
    "$devcluster" up
    eval "$("$devcluster" env)"
    say "Base images and the debuggers' (about 3 minutes the first time)"
    "$integration/images"
}
