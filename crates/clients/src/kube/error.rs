//! What can go wrong with a cluster, in the user's words.

use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Cancelled;
use devloop_model::Diagnostic;

use super::kinds::groups_of;
use super::kinds::kind_like;
use super::unknown_field;

/// Why a cluster did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeError {
    /// There is no kubeconfig, and this process does not run in a pod.
    #[error("there is no kubeconfig")]
    NoKubeconfig {
        /// Files that were looked for.
        tried: Vec<PathBuf>,
    },
    /// A kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used")]
    BadKubeconfig {
        /// What is wrong with it.
        why: String,
    },
    /// The kubeconfig has no context of that name.
    #[error("the kubeconfig has no context `{context}`")]
    UnknownContext {
        /// The context that was asked for.
        context: String,
        /// The contexts that it has.
        known: Vec<String>,
    },
    /// The kubeconfig has no current context, and none was asked for.
    #[error("the kubeconfig has no current context")]
    NoCurrentContext {
        /// The contexts that it has.
        known: Vec<String>,
    },
    /// The credentials of the context could not be made (an exec plugin, a key file).
    #[error("no credentials for context `{context}`")]
    Login {
        /// The context.
        context: String,
        /// Why.
        why: String,
    },
    /// The program that the context logs in with does not run.
    #[error("`{program}`, which context `{context}` logs in with, cannot be run")]
    NoLoginProgram {
        /// The context.
        context: String,
        /// The program, as the kubeconfig names it.
        program: String,
        /// What the kubeconfig says to install it.
        hint: Option<String>,
        /// Why.
        why: String,
    },
    /// The API server does not answer.
    #[error("the cluster at {server} cannot be reached")]
    Unreachable {
        /// Address of the API server.
        server: String,
        /// The context that leads to it.
        context: String,
        /// How it fails.
        how: Unreachable,
        /// The system's words.
        why: String,
    },
    /// The API server does not accept the credentials.
    #[error("the cluster at {server} does not accept the credentials of context `{context}`")]
    Unauthorized {
        /// Address of the API server.
        server: String,
        /// The context.
        context: String,
    },
    /// RBAC does not allow it.
    #[error("not allowed to {action}")]
    Forbidden {
        /// The verb and what it is about: `patch deployment/web in namespace shop`.
        action: String,
        /// The API server's words.
        message: String,
    },
    /// The cluster has no such kind.
    #[error("the cluster knows no kind `{kind}` of `{api_version}`")]
    UnknownKind {
        /// API version, as the manifest says it.
        api_version: String,
        /// Kind, as the manifest says it.
        kind: String,
    },
    /// The namespace does not exist.
    #[error("there is no namespace `{namespace}`")]
    NamespaceMissing {
        /// Its name.
        namespace: String,
    },
    /// What was asked for does not exist.
    #[error("{what} does not exist")]
    NotFound {
        /// What.
        what: String,
    },
    /// Validation or an admission webhook says no.
    #[error("{what} was rejected by the API server")]
    Rejected {
        /// The object.
        what: String,
        /// The API server's words.
        message: String,
        /// Fields that are wrong, with what is wrong about each.
        causes: Vec<(String, String)>,
    },
    /// Somebody else wrote at the same moment, or the object is not the one that was meant.
    #[error("{what} was changed by somebody else")]
    Conflict {
        /// The object.
        what: String,
        /// The API server's words.
        message: String,
    },
    /// No answer within the deadline.
    #[error("{action} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        action: String,
        /// How long.
        limit: Duration,
    },
    /// The API server failed, again and again.
    #[error("the API server failed to {action}")]
    Server {
        /// What was asked.
        action: String,
        /// HTTP status; 0 if there was none.
        status: u16,
        /// Its words.
        message: String,
    },
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled,
}

/// How an API server cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// Nobody listens there.
    Refused,
    /// The host name does not resolve.
    UnknownHost,
    /// Nothing comes back.
    Silent,
    /// Its certificate is not trusted.
    Certificate,
    /// Anything else.
    Other,
}

impl From<Cancelled> for KubeError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl KubeError {
    /// Returns whether the cluster is away rather than unwilling, so that the same may work a little later.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Server { .. })
    }

    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let error = Diagnostic::error(self.code(), self.to_string());
        match self {
            Self::NoKubeconfig { tried } => error
                .because(tried.iter().map(|path| format!("{} does not exist", path.display())).collect::<Vec<_>>().join("\n"))
                .help("set `KUBECONFIG` or `--kubeconfig`, or start a local cluster with minikube, kind or k3d"),
            Self::BadKubeconfig { why } => error.because(why),
            Self::UnknownContext { known, .. } | Self::NoCurrentContext { known } => error.help(contexts_help(known)),
            Self::Login { why, .. } => {
                error.because(why).help("log in again with the tool that wrote this context, then run `kubectl get namespaces` to check")
            }
            Self::NoLoginProgram { program, hint, why, .. } => {
                let help = format!("install `{program}`, put it on PATH, or choose another context with `--kube-context`");
                error.because(why).help(hint.clone().filter(|hint| !hint.is_empty()).unwrap_or(help))
            }
            Self::Unreachable { how, why, context, .. } => {
                let error = error.because(why);
                match unreachable_help(*how, context) {
                    Some(help) => error.help(help),
                    None => error,
                }
            }
            Self::Unauthorized { .. } => {
                error.help("the login may have expired: log in again, or choose another context with `--kube-context`")
            }
            Self::Forbidden { message, .. } => error
                .because(message)
                .help("ask an administrator of the cluster for a role that allows it, or deploy to another namespace with `--namespace`"),
            Self::UnknownKind { api_version, kind } => error.help(unknown_kind_help(api_version, kind)),
            Self::NamespaceMissing { namespace } => {
                error.help(format!("create it with `kubectl create namespace {namespace}`, or add a Namespace object to the manifests"))
            }
            Self::Rejected { message, causes, .. } => rejected(error, message, causes),
            Self::Conflict { message, .. } => error.because(message).help("run the command again"),
            Self::Server { message, status, .. } => match status {
                0 => error.because(message),
                status => error.because(format!("{message} (HTTP status {status})")),
            },
            Self::NotFound { .. } | Self::TimedOut { .. } | Self::Cancelled => error,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoKubeconfig { .. } => "kube/no-kubeconfig",
            Self::BadKubeconfig { .. } => "kube/bad-kubeconfig",
            Self::UnknownContext { .. } => "kube/unknown-context",
            Self::NoCurrentContext { .. } => "kube/no-current-context",
            Self::Login { .. } | Self::NoLoginProgram { .. } => "kube/login",
            Self::Unreachable { .. } => "kube/unreachable",
            Self::Unauthorized { .. } => "kube/unauthorized",
            Self::Forbidden { .. } => "kube/forbidden",
            Self::UnknownKind { .. } => "kube/unknown-kind",
            Self::NamespaceMissing { .. } => "kube/namespace-missing",
            Self::NotFound { .. } => "kube/not-found",
            Self::Rejected { .. } => "kube/rejected",
            Self::Conflict { .. } => "kube/conflict",
            Self::TimedOut { .. } => "kube/timed-out",
            Self::Server { .. } => "kube/server",
            Self::Cancelled => "kube/interrupted",
        }
    }

    /// Returns whether the same request fails again until somebody changes rights, credentials or kinds.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Forbidden { .. }
                | Self::Unauthorized { .. }
                | Self::UnknownKind { .. }
                | Self::Login { .. }
                | Self::NoLoginProgram { .. }
        )
    }

    /// Returns whether the API server says that a field of the object can never be changed, so that only deleting it
    /// and creating it anew would do.
    pub fn is_immutable_field(&self) -> bool {
        let Self::Rejected { message, causes, .. } = self else { return false };
        let says = |text: &str| {
            text.contains("field is immutable")
                || text.contains("may not change once set")
                || text.contains("updates to statefulset spec for fields other than")
                || text.contains("pod updates may not change fields other than")
        };
        says(message) || causes.iter().any(|(_, text)| says(text))
    }
}

fn contexts_help(known: &[String]) -> String {
    if known.is_empty() {
        return "it has no contexts at all: set `KUBECONFIG` or `--kubeconfig` to the right file".to_owned();
    }
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("choose one of its contexts with `--kube-context`: {}", names.join(", "))
}

fn unreachable_help(how: Unreachable, context: &str) -> Option<String> {
    Some(match how {
        Unreachable::Refused => format!("start the cluster of context `{context}`, or choose another with `--kube-context`"),
        Unreachable::UnknownHost => "check the network and the VPN, or choose another cluster with `--kube-context`".to_owned(),
        Unreachable::Silent => "check the network, the VPN and firewalls, or choose another cluster with `--kube-context`".to_owned(),
        Unreachable::Certificate => {
            format!(
                "the cluster may have been created anew: fetch its kubeconfig again, so that `certificate-authority-data` of context `{context}` fits"
            )
        }
        Unreachable::Other => return None,
    })
}

fn unknown_kind_help(api_version: &str, kind: &str) -> String {
    let groups: Vec<String> =
        groups_of(kind).map(|group| if group.is_empty() { "the core group".to_owned() } else { format!("`{group}`") }).collect();
    if groups.is_empty()
        && let Some(near) = kind_like(api_version, kind)
    {
        return format!("did you mean `{near}`?");
    }
    if groups.is_empty() {
        return format!("add the CustomResourceDefinition of `{api_version}` to the manifests, or install its operator first");
    }
    format!(
        "Kubernetes has `{kind}` in {}: change `apiVersion` to a version of it that this cluster serves (`kubectl api-versions`)",
        groups.join(" and ")
    )
}

fn rejected(error: Diagnostic, message: &str, causes: &[(String, String)]) -> Diagnostic {
    if let Some(unknown) = unknown_field::readable(message) {
        return error.because(unknown).help("check the spelling of the field and its indentation");
    }
    if causes.is_empty() {
        return error.because(message);
    }
    let lines: Vec<String> = causes
        .iter()
        .map(|(field, text)| if field.is_empty() || field == "<nil>" { text.clone() } else { format!("{field}: {text}") })
        .collect();
    error.because(lines.join("\n"))
}
