//! `--port-forward`: which ports are forwarded.

/// Which ports are forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForwardModes {
    /// The entries of `portForward`.
    pub user: bool,
    /// Every port of every Service of the release.
    pub services: bool,
    /// The ports that debuggers listen at.
    pub debug: bool,
    /// Every port of every container of the release.
    pub pods: bool,
}

/// Values of `--port-forward` that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownMode {
    /// A word that is none of the modes.
    #[error("`{0}` is no mode of port forwarding: expected `user`, `services`, `debug`, `pods` or `off`")]
    Unknown(String),
    /// A word that stands for a whole setting, among others.
    #[error("`{0}` cannot be combined with other modes of port forwarding")]
    NotAlone(String),
}

impl ForwardModes {
    /// Returns what `command` forwards where nobody says anything: `dev` what the configuration names, `debug` the ports of
    /// debuggers as well, others nothing (Skaffold's `cmd/skaffold/app/cmd/flags.go`).
    pub fn of_command(command: &str) -> Self {
        let is_debug = command == "debug";
        Self { user: is_debug || command == "dev", debug: is_debug, ..Self::default() }
    }

    /// Returns the modes that `--port-forward` names for `command`. The flag alone is `true`. The rules are those of
    /// Skaffold's `pkg/skaffold/config/portforward.go`, with `none` and `compat`, its older words for `off` and `true`.
    ///
    /// # Errors
    /// When a word is unknown, or one that stands for all is not alone.
    pub fn parse(words: &[impl AsRef<str>], command: &str) -> Result<Self, UnknownMode> {
        let mut modes = Self::default();
        for word in words.iter().map(AsRef::as_ref) {
            let whole = match word {
                "user" => {
                    modes.user = true;
                    continue;
                }
                "services" => {
                    modes.services = true;
                    continue;
                }
                "debug" => {
                    modes.debug = true;
                    continue;
                }
                "pods" => {
                    modes.pods = true;
                    continue;
                }
                "off" | "none" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Self::default(),
                "compat" | "1" | "t" | "T" | "true" | "TRUE" | "True" => {
                    Self { user: true, services: true, debug: command == "debug", pods: false }
                }
                _ => return Err(UnknownMode::Unknown(word.to_owned())),
            };
            if words.len() > 1 {
                return Err(UnknownMode::NotAlone(word.to_owned()));
            }
            modes = whole;
        }
        Ok(modes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes(words: &str) -> ForwardModes {
        let has = |word| words.split(',').any(|one| one == word);
        ForwardModes { user: has("user"), services: has("services"), debug: has("debug"), pods: has("pods") }
    }

    #[test]
    fn the_flag_is_read_as_skaffold_reads_it() {
        for (given, command, expected) in [
            ("user", "run", "user"),
            ("user,services", "dev", "user,services"),
            ("pods,debug,debug", "dev", "pods,debug"),
            ("true", "dev", "user,services"),
            ("true", "debug", "user,services,debug"),
            ("1", "run", "user,services"),
            ("false", "dev", ""),
            ("off", "debug", ""),
            ("none", "dev", ""),
        ] {
            let words: Vec<&str> = given.split(',').collect();
            assert_eq!(ForwardModes::parse(&words, command), Ok(modes(expected)), "{given}");
        }
        let error = |given: &str| ForwardModes::parse(&given.split(',').collect::<Vec<_>>(), "dev").unwrap_err();
        assert_eq!(error("user,off"), UnknownMode::NotAlone("off".into()));
        assert_eq!(error("true,pods"), UnknownMode::NotAlone("true".into()));
        assert_eq!(error("user,service"), UnknownMode::Unknown("service".into()));
        assert_eq!(error(""), UnknownMode::Unknown(String::new()));
    }

    #[test]
    fn commands_have_defaults() {
        for (command, expected) in [("dev", "user"), ("debug", "user,debug"), ("run", ""), ("deploy", "")] {
            assert_eq!(ForwardModes::of_command(command), modes(expected), "{command}");
        }
    }
}
