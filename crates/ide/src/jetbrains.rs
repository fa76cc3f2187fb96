//! GoLand and IntelliJ IDEA: one file in `.run` for each run configuration.
//!
//! Source: what those IDEs write there themselves, by "Store as project file".

use std::path::Path;

use devloop_model::Runtime;

use crate::Debuggee;
use crate::File;
use crate::Skipped;
use crate::Task;
use crate::runtime;

/// What the names of our configurations, and of their files, begin with.
const OURS: &str = "devloop ";
/// The directory of run configurations, relative to the workspace.
pub const RUN: &str = ".run";
const SUFFIX: &str = ".run.xml";

/// Which of the IDEs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// GoLand.
    GoLand,
    /// IntelliJ IDEA.
    Idea,
}

/// Run configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunConfigurations {
    /// The files.
    pub files: Vec<File>,
    /// What the IDE has no debugger for.
    pub skipped: Vec<Skipped>,
}

impl RunConfigurations {
    /// Returns whether a file of `.run` with this name is one of ours that is no longer wanted.
    pub fn leaves_behind(&self, name: &str) -> bool {
        let is_ours = name.starts_with(OURS) && name.ends_with(SUFFIX);
        is_ours && !self.files.iter().any(|file| file.path.file_name().is_some_and(|wanted| wanted == name))
    }
}

/// Returns the run configurations that attach to the debuggees, and one that starts them.
pub fn jetbrains(product: Product, debuggees: &[Debuggee], task: &Task) -> RunConfigurations {
    let mut result = RunConfigurations::default();
    for debuggee in debuggees {
        let name = format!("{OURS}{}", debuggee.title());
        match attach(product, &name, debuggee) {
            Ok(configuration) => result.files.push(file(&name, &configuration)),
            Err(why) => result.skipped.push(Skipped { image: debuggee.name.clone(), why }),
        }
    }
    let name = format!("{OURS}debug");
    result.files.push(file(&name, &start(&name, task)));
    result
}

fn attach(product: Product, name: &str, debuggee: &Debuggee) -> Result<String, String> {
    let (name, port) = (escaped(name), debuggee.port);
    match (debuggee.runtime, product) {
        (Runtime::Go, _) => Ok(format!(
            r#"  <configuration default="false" name="{name}" type="GoRemoteDebugConfigurationType" factoryName="Go Remote" host="127.0.0.1" port="{port}">
    <option name="disconnectOption" value="LEAVE" />
    <disconnect value="LEAVE" />
    <method v="2" />
  </configuration>
"#
        )),
        (Runtime::Jvm, Product::Idea) => Ok(format!(
            r#"  <configuration default="false" name="{name}" type="Remote">
    <option name="USE_SOCKET_TRANSPORT" value="true" />
    <option name="SERVER_MODE" value="false" />
    <option name="SHMEM_ADDRESS" />
    <option name="HOST" value="127.0.0.1" />
    <option name="PORT" value="{port}" />
    <option name="AUTO_RESTART" value="true" />
    <method v="2" />
  </configuration>
"#
        )),
        (Runtime::NodeJs, _) => {
            let map = |map: &crate::PathMap| {
                format!("    <mapping url=\"{}\" local-file=\"{}\" />\n", escaped(&map.remote), escaped(&local(&map.local)))
            };
            let maps: String = debuggee.maps.iter().map(map).collect();
            Ok(format!(
                r#"  <configuration default="false" name="{name}" type="ChromiumRemoteDebugType" factoryName="Chromium Remote" port="{port}" restartOnDisconnect="true">
{maps}    <method v="2" />
  </configuration>
"#
            ))
        }
        (Runtime::Python, Product::Idea) => {
            let path = debuggee.maps.first().map(|map| format!(", remote project path {}", map.remote)).unwrap_or_default();
            Err(format!("`Attach to DAP` has no documented file: make that configuration by hand, for localhost:{port}{path}"))
        }
        (runtime, Product::GoLand) => Err(format!("GoLand has no debugger for {}", runtime::name(runtime))),
        (runtime, Product::Idea) => Err(format!("IntelliJ IDEA cannot attach to the debugger of {}", runtime::name(runtime))),
    }
}

fn start(name: &str, task: &Task) -> String {
    let words = ["devloop", "debug"].into_iter().chain(task.arguments.iter().map(String::as_str));
    let command = shlex::try_join(words).unwrap_or_else(|_| "devloop debug".to_owned());
    let options = [
        ("SCRIPT_TEXT", command),
        ("INDEPENDENT_SCRIPT_PATH", "true".to_owned()),
        ("SCRIPT_PATH", String::new()),
        ("SCRIPT_OPTIONS", String::new()),
        ("INDEPENDENT_SCRIPT_WORKING_DIRECTORY", "true".to_owned()),
        ("SCRIPT_WORKING_DIRECTORY", local(&task.dir)),
        ("INDEPENDENT_INTERPRETER_PATH", "true".to_owned()),
        ("INTERPRETER_PATH", String::new()),
        ("INTERPRETER_OPTIONS", String::new()),
        ("EXECUTE_IN_TERMINAL", "true".to_owned()),
        ("EXECUTE_SCRIPT_FILE", "false".to_owned()),
    ];
    let option = |(name, value): (&str, String)| format!("    <option name=\"{name}\" value=\"{}\" />\n", escaped(&value));
    let options: String = options.into_iter().map(option).collect();
    let name = escaped(name);
    format!(
        "  <configuration default=\"false\" name=\"{name}\" type=\"ShConfigurationType\">\n{options}    <envs />\n    <method v=\"2\" />\n  </configuration>\n"
    )
}

fn file(name: &str, configuration: &str) -> File {
    // A name of an image may have a registry in it.
    let path = Path::new(RUN).join(format!("{}{SUFFIX}", name.replace(['/', ':'], "_")));
    File { path, text: format!("<component name=\"ProjectRunConfigurationManager\">\n{configuration}</component>\n") }
}

/// Returns a path as the IDEs expand it.
fn local(path: &Path) -> String {
    match path.display().to_string() {
        empty if empty.is_empty() => "$PROJECT_DIR$".to_owned(),
        absolute if path.is_absolute() => absolute,
        relative => format!("$PROJECT_DIR$/{relative}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::debuggee;
    use crate::testing::task;

    #[test]
    fn each_ide_has_what_it_can_debug() {
        let all = [
            debuggee("gcr.io/p/web", Runtime::Go, 56268, &["web -> /src"]),
            debuggee("page", Runtime::NodeJs, 9229, &["page -> /app"]),
            debuggee("api", Runtime::Python, 5678, &["api -> /srv"]),
            debuggee("jobs", Runtime::Jvm, 5005, &[]),
        ];
        let shown = |product| {
            let RunConfigurations { files, skipped } = jetbrains(product, &all, &task(&["-p", "a \"b\" & c"]));
            let skipped = skipped.iter().map(|skipped| format!("not {}: {}", skipped.image, skipped.why));
            files.iter().map(|file| format!("{}\n{}", file.path.display(), file.text)).chain(skipped).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(shown(Product::Idea));
        assert!(shown(Product::GoLand).contains("not jobs: GoLand has no debugger for Java"));
    }

    #[test]
    fn files_of_ours_that_are_not_wanted_are_known() {
        let now = jetbrains(Product::GoLand, &[debuggee("web", Runtime::Go, 1, &[])], &task(&[]));
        for (name, left) in [
            ("devloop web (Go).run.xml", false),
            ("devloop api (Go).run.xml", true),
            ("devloop debug.run.xml", false),
            ("mine.run.xml", false),
            ("devloop notes.txt", false),
        ] {
            assert_eq!(now.leaves_behind(name), left, "{name}");
        }
    }
}
