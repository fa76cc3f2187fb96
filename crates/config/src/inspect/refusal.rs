//! What editors read where a question has no answer.

use devloop_model::Diagnostic;
use serde_json::Value as Json;
use serde_json::json;

/// Returns the error of an answer: the code that Skaffold has for the first fault, and what each of them says.
///
/// Shape and codes: Skaffold's `pkg/skaffold/output/format` and `proto/enums/enums.proto`.
pub fn refusal(faults: &[Diagnostic]) -> Json {
    let message: Vec<String> = faults.iter().map(message).collect();
    json!({ "errorCode": faults.first().map_or(UNKNOWN, status_code), "errorMessage": message.join("\n") })
}

const UNKNOWN: &str = "INSPECT_UNKNOWN_ERR";

fn status_code(fault: &Diagnostic) -> &'static str {
    match (&*fault.code, &fault.at) {
        ("config/no-file", None) => "CONFIG_FILE_NOT_FOUND_ERR",
        ("config/no-file", Some(_)) => "CONFIG_DEPENDENCY_NOT_FOUND_ERR",
        ("config/duplicate-module", Some(at)) => match &at.label {
            Some(label) if label.contains(&format!("in {},", at.file.display())) => "CONFIG_DUPLICATE_NAMES_SAME_FILE_ERR",
            _ => "CONFIG_DUPLICATE_NAMES_ACROSS_FILES_ERR",
        },
        ("config/unknown-module" | "config/no-module", _) => "CONFIG_BAD_FILTER_ERR",
        ("config/empty", _) => "CONFIG_ZERO_FOUND_ERR",
        ("config/unknown-profile", _) => "CONFIG_PROFILES_NOT_FOUND_ERR",
        ("config/profile-conflict", _) => "CONFIG_MULTI_IMPORT_PROFILE_CONFLICT_ERR",
        (
            "config/duplicate-profile" | "config/activation-env" | "config/patch-operation" | "config/patch-path" | "config/patch-test",
            _,
        ) => "CONFIG_APPLY_PROFILES_ERR",
        ("config/unknown-api-version" | "config/newer-api-version" | "config/no-api-version", _) => "CONFIG_UNKNOWN_API_VERSION_ERR",
        ("config/fetch-off", _) => "CONFIG_REMOTE_REPO_CACHE_NOT_FOUND_ERR",
        ("inspect/build-env-exists", _) => "INSPECT_BUILD_ENV_ALREADY_EXISTS_ERR",
        ("inspect/build-env-type", _) => "INSPECT_BUILD_ENV_INCORRECT_TYPE_ERR",
        ("inspect/unknown-profile", _) => "INSPECT_PROFILE_NOT_FOUND_ERR",
        (code, _) if code.starts_with("config/") => "CONFIG_FILE_PARSING_ERR",
        _ => UNKNOWN,
    }
}

/// Returns a fault in one line, since an editor shows it in a line of its own.
fn message(fault: &Diagnostic) -> String {
    let mut text = fault.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
    text.push_str(&fault.what);
    let label = fault.at.as_ref().and_then(|at| at.label.as_ref());
    for part in label.into_iter().chain(&fault.why).chain(&fault.help) {
        text.push_str("; ");
        text.push_str(part);
    }
    text
}
