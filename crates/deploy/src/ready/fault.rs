//! What can be wrong with a pod, and what to do about it.

/// Why a pod does not become ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its image cannot be pulled.
    ImagePull,
    /// Its image's name is not one.
    ImageName,
    /// A container ended, and ended again.
    Crash {
        /// Its last exit code.
        code: i64,
    },
    /// A container was killed for its memory.
    OutOfMemory,
    /// A container needs a `ConfigMap` or Secret that is not there.
    Config,
    /// The runtime cannot start a container.
    Start,
    /// No node takes it.
    Unschedulable,
    /// A probe fails.
    Probe,
    /// A volume cannot be mounted.
    Volume,
    /// The node cannot set it up: network, sandbox.
    Sandbox,
    /// The node threw it out.
    Evicted,
}

/// How much a fault weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It may pass by itself: reported, and waited for until the deadline.
    Passing,
    /// It rarely passes: waited for a short while.
    Doubtful,
    /// It does not pass without a change.
    Hopeless,
}

/// One thing that is wrong with a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What.
    pub(super) cause: Cause,
    /// How bad.
    pub(super) weight: Weight,
    /// The container, if it is about one.
    pub(super) container: Option<String>,
    /// The kubelet's, scheduler's or runtime's words.
    pub(super) message: String,
    /// Whether the log that matters is that of the run before.
    pub(super) restarted: bool,
}

impl Fault {
    /// Returns the stable code of its diagnostic.
    pub(super) fn code(&self) -> &'static str {
        match self.cause {
            Cause::ImagePull => "deploy/image-pull",
            Cause::ImageName => "deploy/image-name",
            Cause::Crash { .. } => "deploy/crash",
            Cause::OutOfMemory => "deploy/out-of-memory",
            Cause::Config => "deploy/container-config",
            Cause::Start => "deploy/container-start",
            Cause::Unschedulable => "deploy/unschedulable",
            Cause::Probe => "deploy/probe",
            Cause::Volume => "deploy/volume",
            Cause::Sandbox => "deploy/sandbox",
            Cause::Evicted => "deploy/evicted",
        }
    }

    /// Returns what is wrong, as a sentence about the pod or its container.
    pub(super) fn what(&self, pod: &str) -> String {
        let subject = match &self.container {
            Some(container) => format!("container `{container}` of pod/{pod}"),
            None => format!("pod/{pod}"),
        };
        match &self.cause {
            Cause::ImagePull => format!("the image of {subject} cannot be pulled"),
            Cause::ImageName => format!("the image of {subject} has a name that is not valid"),
            Cause::Crash { code } => format!("{subject} ended with exit code {code}"),
            Cause::OutOfMemory => format!("{subject} was killed because it used more memory than its limit"),
            Cause::Config => format!("{subject} cannot be configured"),
            Cause::Start => format!("{subject} cannot be started"),
            Cause::Unschedulable => format!("no node takes {subject}"),
            Cause::Probe => format!("a probe of {subject} fails"),
            Cause::Volume => format!("a volume of {subject} cannot be mounted"),
            Cause::Sandbox => format!("the node cannot set {subject} up"),
            Cause::Evicted => format!("{subject} was evicted from its node"),
        }
    }

    /// Returns one thing to do about it; `waited_out` is whether it was given the time to pass.
    pub(super) fn help(&self, waited_out: bool) -> &'static str {
        match &self.cause {
            Cause::ImagePull if self.container.as_deref().is_some_and(brings_debugger) => {
                "push the images of `debug-support` to a registry of yours, and name it: `--debug-helpers-registry`"
            }
            Cause::ImagePull => pull_help(&self.message),
            Cause::ImageName => "correct the `image:` field: lower-case letters, digits and single `.`, `_`, `-` between `/`",
            Cause::Crash { code: 126 | 127 } => {
                "check `command:` and the image's entry point: the program is not there or cannot be executed"
            }
            Cause::Crash { code: 137 } => "it was killed: look for a failing liveness probe, or raise `resources.limits.memory`",
            Cause::Crash { code: 139 } => "it crashed in native code: check that the image is built for the node's architecture",
            Cause::Crash { .. } if waited_out => {
                "the last lines of its log say why; if it recovers by itself later, raise `statusCheckDeadlineSeconds`"
            }
            Cause::Crash { .. } => "the last lines of its log say why; if it recovers by itself, set `tolerateFailuresUntilDeadline`",
            Cause::OutOfMemory => "raise `resources.limits.memory`, or make the program use less",
            Cause::Config => "create the ConfigMap, Secret or key that it names, in the same namespace",
            Cause::Start => start_help(&self.message),
            Cause::Unschedulable => schedule_help(&self.message),
            Cause::Probe => "check the path and port of the probe, and `initialDelaySeconds` for a slow start",
            Cause::Volume => "create the ConfigMap, Secret or claim that the volume names, in the same namespace",
            Cause::Sandbox => "look at the node: its network plug-in or container runtime does not work",
            Cause::Evicted => "free the resource that the message names on the node, or lower the pod's requests",
        }
    }
}

/// Returns whether a container is there to bring a debugger into the others.
fn brings_debugger(container: &str) -> bool {
    container.starts_with("install-") && container.ends_with("-debug-support")
}

fn pull_help(message: &str) -> &'static str {
    let text = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["unauthorized", "authentication required", "denied", "forbidden"]) {
        "give the pod's service account `imagePullSecrets` for this registry"
    } else if says(&["server gave http response", "x509", "certificate"]) {
        "tell the nodes' container runtime to trust this registry, or use one with a trusted certificate"
    } else if says(&["no such host", "connection refused", "i/o timeout", "dial tcp"]) {
        "the node cannot reach this registry: use an address that is known inside the cluster (`--default-repo`)"
    } else if says(&["no match for platform", "no matching manifest"]) {
        "build the image for the platform of the cluster's nodes (`--platform`)"
    } else {
        "check the name and tag, and that the image was pushed to a registry that the nodes can read"
    }
}

fn start_help(message: &str) -> &'static str {
    if message.contains("executable file not found") || message.contains("no such file or directory") {
        "check `command:` and the image's entry point: the program is not in the image"
    } else if message.contains("exec format error") {
        "build the image for the platform of the cluster's nodes (`--platform`)"
    } else if message.contains("permission denied") {
        "make the program in the image executable"
    } else if message.contains("runAsNonRoot") {
        "give the image a numeric USER other than 0, or the pod a `runAsUser`"
    } else {
        "check `command:`, `args:`, `securityContext:` and the volume mounts of the container"
    }
}

fn schedule_help(message: &str) -> &'static str {
    if message.contains("Insufficient") {
        "lower `resources.requests`, or add a node; a cluster that scales by itself may need `statusCheckDeadlineSeconds` and a moment more"
    } else if message.contains("taint") {
        "add a toleration for the taint that the message names, or remove it from the node"
    } else if message.contains("selector") || message.contains("affinity") {
        "correct `nodeSelector` or `affinity`, or label a node so"
    } else if message.contains("PersistentVolumeClaim") || message.contains("persistentvolumeclaim") {
        "create the claim that the message names, or a StorageClass that serves it"
    } else {
        "make room for it, or change what it asks of a node"
    }
}
