//! What programs know of a project: Jib's plugins, helm, kompose.

use std::path::Path;
use std::time::Duration;

use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_init::Generated;
use devloop_init::JibFile;
use devloop_init::Project;
use devloop_model::Cx;
use devloop_model::Diagnostic;

use super::Shown;

/// How long a program may think: Maven may fetch its plugins first.
const LIMIT: Duration = Duration::from_mins(5);
/// Files that kompose writes below the Compose file.
const KOMPOSE_DIRECTORY: &str = "k8s";

/// Asks Jib's plugins for their images and helm for the manifests of charts; where there is no such program, files say less.
pub(super) async fn ask(project: &mut Project, cx: &Cx, shown: &Shown<'_>) {
    if !project.jib.is_empty() && runs(Command::new("java").arg("-version"), cx).await {
        let mut next = 0;
        while let Some(file) = project.jib.get(next).cloned() {
            let builders = jib(&file, cx).await.map(|answer| file.builders(&answer)).unwrap_or_default();
            project.asked(&file, builders);
            next += 1;
        }
    }
    for chart in &mut project.charts {
        let values = chart.values.iter().flat_map(|file| ["--values".to_owned(), file.clone()]);
        let command = Command::new("helm").args(["template", &chart.name, &chart.path]).args(values).deadline(LIMIT);
        match command.output(cx).await {
            Ok(output) => chart.rendered(&String::from_utf8_lossy(&output.stdout)),
            Err(ProcessError::NotFound { .. } | ProcessError::Cancelled) => {}
            Err(error) => {
                let what = format!("helm cannot render the chart `{}`, so that its images are those that its values name", chart.path);
                shown.say(&[Diagnostic::warning("init/chart", what).caused_by(error.diagnostic())]);
            }
        }
    }
}

async fn runs(command: Command, cx: &Cx) -> bool {
    command.deadline(LIMIT).output(cx).await.is_ok()
}

async fn jib(file: &JibFile, cx: &Cx) -> Option<String> {
    let ([wrapper, program], arguments) = file.question();
    let path = std::path::absolute(&file.path).ok()?;
    let directory = path.parent()?;
    let wrapper = directory.join(wrapper);
    let command = if wrapper.is_file() { Command::new(wrapper) } else { Command::new(program) };
    let output = command.args(arguments).dir(directory).deadline(LIMIT).output(cx).await;
    match output {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            tracing::info!("{} says less than its plugin: {error}", file.path);
            None
        }
    }
}

/// Returns what kompose makes of a Compose file; none where it is not installed.
///
/// # Errors
/// When it fails.
pub(super) async fn kompose(file: &Path, cx: &Cx) -> Result<Option<Vec<Generated>>, Diagnostic> {
    let command = Command::new("kompose").args(["convert", "--stdout", "--file"]).arg(file).deadline(LIMIT);
    let output = match command.output(cx).await {
        Ok(output) => output,
        Err(ProcessError::NotFound { .. }) => return Ok(None),
        Err(error) => {
            let what = format!("kompose cannot convert `{}`", file.display());
            return Err(Diagnostic::error("init/compose", what).caused_by(error.diagnostic()));
        }
    };
    let path = file.parent().unwrap_or(Path::new("")).join(KOMPOSE_DIRECTORY).join("compose.yaml");
    Ok(Some(vec![Generated { path: path.display().to_string(), text: String::from_utf8_lossy(&output.stdout).into_owned() }]))
}
