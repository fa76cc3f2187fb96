//! The words that some fields take.

/// `kind` of a configuration.
pub(crate) const KINDS: [&str; 1] = ["Config"];
/// `deploy.logs.prefix`.
pub(crate) const LOG_PREFIXES: [&str; 4] = ["container", "podAndContainer", "auto", "none"];
/// `runtimeType` of an artifact.
pub(crate) const RUNTIMES: [&str; 5] = ["go", "nodejs", "jvm", "python", "netcore"];
/// `jib.type`, in any case.
pub(crate) const JIB_TYPES: [&str; 2] = ["maven", "gradle"];
/// `gitCommit.variant`, in any case.
pub(crate) const GIT_VARIANTS: [&str; 6] = ["Tags", "CommitSha", "AbbrevCommitSha", "TreeSha", "AbbrevTreeSha", "Branches"];
/// `op` of a patch.
pub(crate) const PATCH_OPERATIONS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];
/// Commands that activate profiles.
pub(crate) const COMMANDS: [&str; 9] = ["dev", "debug", "run", "build", "test", "deploy", "render", "delete", "apply"];
/// `resourceType` of `portForward`, in any case.
pub(crate) const FORWARDED: [&str; 10] =
    ["container", "pod", "deployment", "service", "replicaset", "replicationcontroller", "statefulset", "daemonset", "cronjob", "job"];
