//! What is said when the operating system does not tell about changes.

use std::path::Path;

use devloop_model::Diagnostic;

use crate::source::Refused;

/// What a desktop's distribution sets; enough for several large trees.
const USUAL_WATCHES: usize = 524_288;

/// Returns what is said when files are looked at instead because of `refused`; `needed` directories were to be watched.
pub(crate) fn polling_instead(refused: &Refused, needed: usize) -> Diagnostic {
    let warning =
        Diagnostic::warning("watch/polling", "the system does not tell about changes of files; they are looked at again and again instead");
    match refused {
        Refused::Watches => {
            let limit = read("max_user_watches")
                .map_or_else(String::new, |limit| format!(" allows {limit} to all programs of this user together, and"));
            warning
                .because(format!("fs.inotify.max_user_watches{limit} is used up; devloop needs {needed}"))
                .help(raise("max_user_watches", USUAL_WATCHES.max((needed * 2).next_power_of_two())))
        }
        Refused::Instances => {
            let limit = read("max_user_instances").map_or_else(String::new, |limit| format!(" ({limit})"));
            warning
                .because(format!("{refused}: fs.inotify.max_user_instances{limit} is used up, or the limit of open files (ulimit -n)"))
                .help(raise("max_user_instances", 1024))
        }
        Refused::Gone | Refused::Other(_) => {
            warning.because(refused.to_string()).help("--trigger polling says that this is meant; --trigger manual looks only when asked")
        }
    }
}

/// Returns what is said when one directory cannot be watched.
pub(crate) fn unwatched(directory: &Path, refused: &Refused) -> Diagnostic {
    Diagnostic::warning("watch/directory", format!("changes in `{}` are not noticed", directory.display()))
        .because(refused.to_string())
        .help("give yourself the right to read it, or hide it by `.dockerignore`")
}

fn raise(limit: &str, value: usize) -> String {
    let setting = format!("fs.inotify.{limit}={value}");
    format!("sudo sysctl {setting}; to keep it: echo {setting} | sudo tee /etc/sysctl.d/60-inotify.conf; then start again")
}

fn read(limit: &str) -> Option<usize> {
    std::fs::read_to_string(format!("/proc/sys/fs/inotify/{limit}")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_named_with_what_raises_it() {
        let help = |refused: &Refused, needed| polling_instead(refused, needed).help.unwrap();
        assert!(help(&Refused::Watches, 10).starts_with("sudo sysctl fs.inotify.max_user_watches=524288;"));
        assert!(help(&Refused::Watches, 400_000).starts_with("sudo sysctl fs.inotify.max_user_watches=1048576;"));
        assert!(help(&Refused::Instances, 1).starts_with("sudo sysctl fs.inotify.max_user_instances=1024;"));
        let text = polling_instead(&Refused::Watches, 10).to_string();
        assert!(text.contains("max_user_watches") && text.contains("devloop needs 10"), "{text}");
    }
}
