//! The `devloop` command: arguments and environment in, an exit code out.
//!
//! A command is a file of `command`. Those that work on a pipeline start from a [`session::Session`], resolve
//! the target once, and run the engine's loop ([`pipeline::Pipeline`]).

mod args;
mod command;
mod completion;
mod environment;
mod exit;
mod logging;
mod modules;
mod output;
mod output_template;
mod pipeline;
mod platforms;
mod prebuilt;
mod program;
mod programs;
mod resource_rules;
mod serving;
mod session;
mod session_file;
mod settings;

fn main() -> std::process::ExitCode {
    // In a builder pod, before there are threads: a process that has any cannot enter a user namespace.
    #[cfg(target_os = "linux")]
    if let Some(code) = devloop_builder::run(&std::env::args_os().collect::<Vec<_>>()) {
        return code;
    }
    exit::guard(program::run).into()
}
