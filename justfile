# The same scripts that CI calls; `just` lists them.
default:
    @just --list

# set everything up and deploy examples/getting-started
demo:
    integration/demo

# set up what is missing and run every test
test *ARGUMENTS:
    integration/test {{ARGUMENTS}}

# format, lints, documentation, dependencies
check:
    integration/check

# the measurements of the README: whole commands, and the loop
bench:
    integration/bench/run
    integration/bench/dev
    integration/bench/init
    integration/bench/kustomize
    integration/bench/helm
    integration/bench/debug
    integration/bench/in-cluster
    integration/bench/modules

# what goes wrong around a session: pods, the API server, the registry, signals
hard:
    integration/test --test it -- dev:: outage::
    integration/disrupt

# any bytes as a skaffold.yaml, for ten minutes or some seconds
fuzz *SECONDS:
    fuzz/run {{SECONDS}}

# the picture of the README
picture:
    integration/picture dev
    integration/picture debug

# 200 edits in a row: what is served, and that nothing leaks
soak *ARGUMENTS:
    integration/soak {{ARGUMENTS}}
