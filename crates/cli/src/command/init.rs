//! `devloop init`: a skaffold.yaml for what is in this folder.

mod files;
mod questions;
mod tools;

use std::path::Path;

use devloop_init::Builder;
use devloop_init::Converted;
use devloop_init::Deployment;
use devloop_init::Kind;
use devloop_init::Matching;
use devloop_init::Outcome;
use devloop_init::Project;
use devloop_init::Tree;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::Stage;
use devloop_model::StepId;
use tokio_util::sync::CancellationToken;

use self::files::Target;
use self::questions::Questions;
use crate::exit::Exit;
use crate::output;
use crate::program;
use crate::settings::InitSettings;
use crate::settings::Settings;

/// The port of an image that says none (Skaffold's `pkg/skaffold/initializer/build/init.go`).
const USUAL_PORT: u16 = 8080;

/// Looks at the folder, asks what is not clear, and writes the configuration.
///
/// # Errors
/// When there is one already, nothing to build or deploy, or something that only the user knows and must not be asked.
pub(crate) async fn run(settings: &Settings, init: &InitSettings, env: &Env, cancel: &CancellationToken) -> Result<Exit, Diagnostic> {
    let target = Target::of(&settings.config.source);
    if !init.force && !init.analyze {
        target.refuse_existing()?;
    }
    let cx = Cx::new(StepId::of(Stage::Prepare), env.clone(), EventSink::none(), cancel.clone());
    let shown = Shown { settings, env };
    let root = Path::new(".");
    let tree = Tree::read(root, init.skip_unreachable)?;
    let mut project = Project::of(&tree, &init.options, &devloop_build::exposed_ports);
    tools::ask(&mut project, &cx, &shown).await;
    shown.say(&project.warnings);
    let compose = match &init.compose_file {
        Some(file) => Some(compose(root, file, init, &cx).await?),
        None => None,
    };
    if cancel.is_cancelled() {
        return Ok(Exit::Done);
    }
    let deployment = Deployment::of(&project, &init.options, compose)?;
    let mut matching = Matching::of(&project, &deployment, &init.options)?;
    if init.analyze {
        return analysis(&matching, init).map(|()| Exit::Done);
    }
    shown.say(&deployment.warnings);
    shown.say(&matching.warnings);
    let (questions, asked) = (Questions { cancel: cancel.clone() }, init.clone());
    let decided = questions::unless_left(cancel, move || decide(&mut matching, &asked, &questions).map(|()| matching)).await;
    // The user left in the middle of a question.
    let Some(decided) = decided else { return Ok(Exit::Done) };
    let decided = decided?;
    shown.say(&missing(&decided));
    if init.force && !init.options.generate_manifests {
        shown.say(&unused(&decided));
    }
    let outcome = Outcome::of(&project, deployment, &decided)?;
    if let Target::Stdout = target {
        return output::to_stdout(&outcome.config).map(|()| Exit::Done);
    }
    if !init.force {
        let questions = Questions { cancel: cancel.clone() };
        let question = Questions::write(&target, outcome.files.len());
        output::to_stdout(&preview(&outcome, &target))?;
        let is_wanted = questions::unless_left(cancel, move || questions.confirm(question)).await.transpose()?;
        if is_wanted != Some(true) {
            return Ok(Exit::Done);
        }
    }
    output::to_stdout(&files::write(&outcome, &target)?)?;
    shown.say(&files::faults(&target, env));
    Ok(Exit::Done)
}

/// Returns a warning for each Dockerfile of `--artifact` that is not there.
fn missing(matching: &Matching) -> Vec<Diagnostic> {
    let builders = matching.artifacts.iter().filter_map(|artifact| artifact.builder.as_ref());
    let missing = builders.filter(|builder| builder.kind == Kind::Docker && !Path::new(&builder.path).is_file());
    let warning = |builder: &Builder| {
        Diagnostic::warning("init/no-such-file", format!("there is no file `{}`, which an artifact is built from", builder.path))
            .help("correct the path, or write the file before you build")
    };
    missing.map(warning).collect()
}

/// Returns a warning for each Dockerfile that nothing was made of, without a question.
fn unused(matching: &Matching) -> Vec<Diagnostic> {
    let unused = matching.unused().into_iter().filter(|builder| builder.kind == Kind::Docker);
    let warning = |builder: Builder| {
        Diagnostic::warning("init/unused", format!("`{}` builds no image that is deployed", builder.path))
            .help("name its image by `--artifact`, or let manifests be made for it with `--generate-manifests`")
    };
    unused.map(warning).collect()
}

/// Where what goes on is said.
struct Shown<'s> {
    settings: &'s Settings,
    env: &'s Env,
}

impl Shown<'_> {
    fn say(&self, diagnostics: &[Diagnostic]) {
        program::say(diagnostics, Some((self.settings, self.env)));
    }
}

/// kompose knows more of Compose; which image is built by what, the file itself says.
async fn compose(root: &Path, file: &Path, init: &InitSettings, cx: &Cx) -> Result<Converted, Diagnostic> {
    let path = crate::programs::within(
        &std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
        &std::env::current_dir().unwrap_or_default(),
    );
    let mut converted = Converted::read(root, &path.display().to_string(), &cx.env)?;
    if !init.analyze
        && let Some(files) = tools::kompose(&path, cx).await?
    {
        converted.files = files;
    }
    Ok(converted)
}

/// With `--skip-build`, there is nothing to say.
fn analysis(matching: &Matching, init: &InitSettings) -> Result<(), Diagnostic> {
    match (init.options.skip_build, init.old_format) {
        (true, _) => Ok(()),
        (false, true) => output::to_stdout(&devloop_init::old_analysis(matching)),
        (false, false) => output::to_stdout(&devloop_init::analysis(matching)),
    }
}

/// Decides which image is built by what, and which get manifests.
fn decide(matching: &mut Matching, init: &InitSettings, questions: &Questions) -> Result<(), Diagnostic> {
    if init.force {
        matching.settle_by_force()?;
    } else if !matching.settle() {
        for image in matching.images.clone() {
            let builder = questions.builder(&image, &matching.builders, matching.guess(&image))?.cloned();
            matching.choose(&image, builder.as_ref());
        }
    }
    if !init.options.generate_manifests {
        return Ok(());
    }
    let unused = matching.unused();
    let chosen = if init.force || unused.len() < 2 { unused } else { questions.builders(&unused)? };
    let mut made = Vec::new();
    for artifact in matching.made_up(&chosen) {
        let usual = artifact.builder.as_ref().map_or(USUAL_PORT, port);
        let port = if init.force { usual } else { questions.port(&artifact.image, usual)? };
        made.push(devloop_init::Artifact { manifest: Some(port), ..artifact });
    }
    matching.artifacts.append(&mut made);
    Ok(())
}

fn port(builder: &Builder) -> u16 {
    builder.ports.first().copied().unwrap_or(USUAL_PORT)
}

/// Returns what would be written.
fn preview(outcome: &Outcome, target: &Target) -> String {
    let files = outcome.files.iter().map(|file| format!("# {}\n{}", file.path, file.text));
    let texts: Vec<String> = std::iter::once(format!("# {target}\n{}", outcome.config)).chain(files).collect();
    texts.join("\n")
}
