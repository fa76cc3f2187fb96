//! Profiles: which are active, and what they change in a document.

use std::collections::BTreeSet;

use devloop_model::Diagnostic;
use devloop_model::Env;
use regex::Regex;

use crate::Key;
use crate::Node;
use crate::Value;
use crate::patch;

mod overlay;

/// What decides which profiles are active.
#[derive(Debug, Clone)]
pub struct ProfileOptions {
    /// Names from `-p`, in order; `-name` switches an auto-activated profile off.
    pub named: Vec<String>,
    /// Whether `activation` is looked at (`--profile-auto-activation`).
    pub auto_activation: bool,
    /// The command: `run`.
    pub command: String,
    /// The Kubernetes context in use, where one is known.
    pub kube_context: Option<String>,
    /// Whether `--kube-context` gives it: it then wins over `deploy.kubeContext`.
    pub kube_context_is_forced: bool,
    /// The environment.
    pub env: Env,
}

/// A document with its profiles worked in.
#[derive(Debug)]
pub struct Applied {
    /// The document, without `profiles`; what came from a profile has the place it was written at there.
    pub document: Node,
    /// Names of the active profiles, in the order they were applied.
    pub active: Vec<String>,
    /// What stood in `profiles`.
    pub profiles: Option<Node>,
}

/// Returns the document with its active profiles applied: those that their `activation` switches on, in file order, then those named.
///
/// A name that this document does not define is passed over, since `-p` speaks to all modules: [`unknown_names`] finds the ones that none defines.
/// Facts: `pkg/skaffold/schema/profiles.go` of Skaffold.
///
/// # Errors
/// When a profile has no name, an activation or a patch is wrong, or a profile that the kube-context switched on leads to another context.
pub(crate) fn apply(mut document: Node, options: &ProfileOptions) -> Result<Applied, Vec<Diagnostic>> {
    let Some(written) = document.remove("profiles") else {
        return Ok(Applied { document, active: Vec::new(), profiles: None });
    };
    let profiles = Profile::read_all(&written)?;
    let (active, by_context) = activate(&profiles, options)?;
    for profile in active.iter().filter_map(|name| profiles.iter().find(|p| p.name == *name)) {
        overlay::overlay(&mut document, profile.node);
        if let Some(patches) = profile.node.get("patches") {
            patch::apply(&mut document, patches)?;
        }
    }
    check_context(&document, &by_context, options)?;
    Ok(Applied { document, active, profiles: Some(written) })
}

/// Returns the names of the profiles that `document` defines.
pub(crate) fn defined(document: &Node) -> Vec<String> {
    let profiles = document.get("profiles").and_then(Node::as_list).unwrap_or_default();
    profiles.iter().filter_map(|profile| Some(profile.get("name")?.as_text()?.into_owned())).collect()
}

/// Returns an error for each name of `-p` that is none of `known`.
pub(crate) fn unknown_names(named: &[String], known: &BTreeSet<String>) -> Vec<Diagnostic> {
    let names = named.iter().map(|name| name.strip_prefix('-').unwrap_or(name));
    names.filter(|name| !known.contains(*name)).map(|name| unknown("profile", name, known).code("config/unknown-profile")).collect()
}

/// Returns whether `actual` is what `pattern` asks for: the same text, or a match of it as a regular expression anywhere in it; `!` before it negates.
///
/// A pattern that is no regular expression only equals itself. Facts: `pkg/skaffold/util/regex.go` of Skaffold.
pub(crate) fn pattern_matches(pattern: &str, actual: &str) -> bool {
    let positive = |pattern: &str| actual == pattern || Regex::new(pattern).is_ok_and(|regex| regex.is_match(actual));
    match pattern.strip_prefix('!') {
        Some(pattern) => !positive(pattern),
        None => positive(pattern),
    }
}

/// An error without its code yet, so that each caller gives its own.
pub(crate) struct Unknown(Diagnostic);

impl Unknown {
    pub(crate) fn code(self, code: &'static str) -> Diagnostic {
        Diagnostic { code: code.into(), ..self.0 }
    }
}

/// Returns the error that `name` is none of `known`, with the nearest of them.
pub(crate) fn unknown(kind: &str, name: &str, known: &BTreeSet<String>) -> Unknown {
    let error = Diagnostic::error("", format!("there is no {kind} `{name}`"));
    if known.is_empty() {
        return Unknown(error.because(format!("this configuration has no {kind}s")));
    }
    let listed: Vec<&str> = known.iter().map(String::as_str).collect();
    let error = error.because(format!("known {kind}s: {}", listed.join(", ")));
    let nearest = listed.iter().map(|candidate| (strsim::damerau_levenshtein(candidate, name), candidate)).min();
    Unknown(match nearest {
        Some((distance, candidate)) if distance <= name.chars().count().max(3) / 3 => error.help(format!("did you mean `{candidate}`?")),
        _ => error,
    })
}

/// One entry of `profiles`.
struct Profile<'a> {
    name: String,
    node: &'a Node,
}

impl<'a> Profile<'a> {
    fn read_all(list: &'a Node) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let mut profiles: Vec<Self> = Vec::new();
        let mut errors = Vec::new();
        for node in items(list, "profiles").map_err(|error| vec![error])? {
            match node.get("name").and_then(Node::as_text).filter(|name| !name.is_empty()) {
                None => errors.push(node.span.error("config/missing-field", "this profile has no `name`")),
                Some(name) if profiles.iter().any(|p| p.name == name) => {
                    let span = &node.get("name").unwrap_or(node).span;
                    errors.push(span.error("config/duplicate-profile", format!("there is another profile `{name}` in this module")));
                }
                Some(name) => profiles.push(Self { name: name.into_owned(), node }),
            }
        }
        if errors.is_empty() { Ok(profiles) } else { Err(errors) }
    }

    /// Returns whether `activation` switches it on, and whether the kube-context had a say in that.
    fn activation(&self, options: &ProfileOptions) -> Result<Option<ByContext>, Diagnostic> {
        let Some(conditions) = self.node.get("activation").filter(|node| !node.is_null()) else { return Ok(None) };
        let all = self.node.get("requiresAllActivations").and_then(Node::as_bool).unwrap_or(false);
        let mut met = Vec::new();
        for condition in items(conditions, "activation")? {
            let by_context = condition_text(condition, "kubeContext").is_some();
            match (is_met(condition, options)?, all) {
                (true, false) => return Ok(Some(by_context)),
                (true, true) => met.push(by_context),
                (false, true) => return Ok(None),
                (false, false) => {}
            }
        }
        Ok(if met.is_empty() { None } else { Some(met.contains(&true)) })
    }
}

/// Whether the kube-context had a say.
type ByContext = bool;

/// Returns the names of the active profiles in the order to apply them, and those of them that the kube-context switched on.
fn activate(profiles: &[Profile<'_>], options: &ProfileOptions) -> Result<(Vec<String>, Vec<String>), Vec<Diagnostic>> {
    let mut active: Vec<String> = Vec::new();
    let mut by_context = Vec::new();
    let mut errors = Vec::new();
    for profile in profiles.iter().filter(|_| options.auto_activation) {
        match profile.activation(options) {
            Ok(None) => {}
            Ok(Some(context)) => {
                active.push(profile.name.clone());
                by_context.extend(context.then(|| profile.name.clone()));
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    for name in &options.named {
        if let Some(off) = name.strip_prefix('-') {
            active.retain(|name| name != off);
            by_context.retain(|name| name != off);
        } else if profiles.iter().any(|p| p.name == *name) && !active.contains(name) {
            active.push(name.clone());
        }
    }
    Ok((active, by_context))
}

/// Returns whether every criterion of one activation holds; one without criteria always does.
fn is_met(condition: &Node, options: &ProfileOptions) -> Result<bool, Diagnostic> {
    let command = condition_text(condition, "command").is_none_or(|pattern| pattern_matches(&pattern, &options.command));
    let context = options.kube_context.as_deref().unwrap_or_default();
    let context = condition_text(condition, "kubeContext").is_none_or(|pattern| pattern_matches(&pattern, context));
    Ok(is_env_met(condition, &options.env)? && command && context)
}

fn is_env_met(condition: &Node, env: &Env) -> Result<bool, Diagnostic> {
    let Some(text) = condition_text(condition, "env") else { return Ok(true) };
    let Some((name, pattern)) = text.split_once('=') else {
        let span = &condition.get("env").unwrap_or(condition).span;
        return Err(span.error("config/activation-env", format!("`{text}` has no `=`")).help("write `env: NAME=pattern`"));
    };
    let actual = env.get(name).unwrap_or_default();
    // An empty pattern would match everything; it asks for an empty or missing variable instead.
    Ok(if pattern.is_empty() { actual.is_empty() } else { pattern_matches(pattern, actual) })
}

fn condition_text(condition: &Node, key: &str) -> Option<String> {
    condition.get(key)?.as_text().filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned)
}

fn check_context(document: &Node, by_context: &[String], options: &ProfileOptions) -> Result<(), Vec<Diagnostic>> {
    if options.kube_context_is_forced || by_context.is_empty() {
        return Ok(());
    }
    let Some(node) = document.get("deploy").and_then(|deploy| deploy.get("kubeContext")) else { return Ok(()) };
    let effective = node.as_text().unwrap_or_default();
    let current = options.kube_context.as_deref().unwrap_or_default();
    if effective.is_empty() || effective == current {
        return Ok(());
    }
    let names: Vec<String> = by_context.iter().map(|name| format!("`{name}`")).collect();
    let what = format!("kube-context `{current}` activated {}, but `deploy.kubeContext` leads to `{effective}`", names.join(", "));
    Err(vec![
        node.span
            .error("config/context-conflict", what)
            .help("choose the context with `--kube-context`, or take `kubeContext` out of one of the two"),
    ])
}

/// Returns the items of a list, or why it is none.
pub(crate) fn items<'a>(node: &'a Node, field: &str) -> Result<&'a [Node], Diagnostic> {
    match &node.value {
        Value::List(items) => Ok(items),
        Value::Null => Ok(&[]),
        _ => Err(node.span.error("config/wrong-type", format!("`{field}` takes a list, not {}", node.kind()))),
    }
}

/// Sets an entry with the key's own place, so that a fault in it is shown where it was written.
pub(crate) fn put(map: &mut Node, key: &Key, value: Node) {
    let Value::Map(entries) = &mut map.value else { return };
    match entries.iter_mut().find(|(k, _)| k.text == key.text) {
        Some(entry) => *entry = (key.clone(), value),
        None => entries.push((key.clone(), value)),
    }
}

#[cfg(test)]
mod tests;
